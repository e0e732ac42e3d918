"""What follows from verdicts: shares, tallies, and the sentence for each thing that is below what is asked."""

from dataclasses import replace

import pytest

from harness.audit.examine import verdict as exit_code
from harness.audit.findings import Fate, Findings, Kind, Lost, Marked, Mutant, Spent, Tally, Trial, Verdict
from harness.course import Audit, Limits
from harness.errors import ExitCode
from harness.records import CheckSpec, Outcome, Text, Visibility

FULL = Marked(points=4.0, max_points=4.0, lost=(), wall_s=1.0)
TITLE = Text("Titre", "Title")
CHECKS = tuple(CheckSpec(name, TITLE, 2.0, Visibility.PUBLIC) for name in ("one", "two"))


def lost(*checks: str, points: float = 0.0) -> Marked:
    return replace(FULL, points=points, lost=tuple(Lost(check, Outcome.FAILED) for check in checks))


def verdict(number: int, fate: Fate, marked: Marked, operator: str = "sign") -> Verdict:
    return Verdict(Mutant(f"cell/{operator}/{number}", "cell", operator, "f", ""), fate, marked)


KILLED = [verdict(i, Fate.KILLED, lost("one")) for i in range(97)]
SURVIVED = [verdict(100 + i, Fate.SURVIVED, FULL, "term") for i in range(4)]


def findings(*verdicts: Verdict, **more: object) -> Findings:
    rest = {
        "asked": Audit(mutants=0),
        "stale": (),
        "trials": (),
        "budget": (),
        "thorough": True,
        "made": len(verdicts),
        **more,
    }
    return Findings(
        assignment="demo",
        title=TITLE,
        seed=0,
        limits=Limits(),
        checks=CHECKS,
        operators={"term": TITLE, "sign": TITLE, "dtype": TITLE},
        verdicts=verdicts,
        wall_s=1.0,
        jobs=1,
        **rest,  # type: ignore[arg-type]
    )


def test_the_share_counts_neither_equivalents_nor_what_we_failed_to_mark() -> None:
    undecided = verdict(2, Fate.UNDECIDED, replace(FULL, points=None, failure="a kernel does not answer"))
    equivalent = verdict(3, Fate.EQUIVALENT, FULL)
    assert findings(KILLED[0], SURVIVED[0], equivalent, undecided).share == 0.5
    assert findings(equivalent).share == 0.0


@pytest.mark.parametrize(("survivors", "holds"), [(3, True), (4, False)])
def test_the_threshold_itself_is_enough(survivors: int, *, holds: bool) -> None:
    found = findings(*KILLED, *SURVIVED[:survivors])  # 97 of 100, 97 of 101
    assert (not found.shortcomings) is holds
    assert exit_code(found) is (ExitCode.DONE if holds else ExitCode.BELOW)


def test_a_solution_that_leaves_little_room_is_below() -> None:
    spent = [Spent("wall_s", 60.0, 90.0), Spent("cell_s", 6.8, 10.0), Spent("memory_bytes", 2**30, 2**31)]
    found = findings(*KILLED, budget=tuple(spent))  # two thirds exactly, 0.68, a half
    assert [text.en for text in found.shortcomings] == ["the solution uses 68% of cell_s, at most 67% are allowed"]
    assert findings(*KILLED, budget=tuple(spent), asked=Audit(mutants=0, budget=0.7)).shortcomings == ()


def test_too_few_mutants_are_below_as_well() -> None:
    found = findings(*KILLED, asked=Audit())
    assert [text.en for text in found.shortcomings] == ["97 mutants, at least 150 are asked for"]


def test_a_sample_counts_as_all_that_could_be_made() -> None:
    assert findings(*KILLED, asked=Audit(), made=150).shortcomings == ()


def test_stale_equivalents_are_below() -> None:
    (text,) = findings(*KILLED, stale=("cell/term/0",)).shortcomings
    assert "“cell/term/0”" in text.en
    assert "« cell/term/0 »" in text.fr.replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.parametrize("kind", Kind)
def test_a_trial_that_went_wrong_is_below_and_named(kind: Kind) -> None:
    wrong = Trial(kind, "name", Text("Essai", "Trial"), lost("two", points=1.0), fine=False)
    (text,) = findings(*KILLED, trials=(wrong,)).shortcomings
    assert text.en.startswith("Trial: 25.0% of the points")
    assert text.fr.startswith("Essai : 25,0 % des points")
    assert ("two" in text.en) is (kind is not Kind.NULL)


def test_a_failure_on_our_side_outweighs_a_shortcoming() -> None:
    broken = verdict(0, Fate.UNDECIDED, replace(FULL, points=None, failure="no answer"))
    found = findings(broken, SURVIVED[0])
    assert found.infrastructure == ("cell/sign/0: no answer",)
    assert exit_code(found) is ExitCode.INFRASTRUCTURE


def test_mutants_of_a_wrong_solution_are_not_held_against_the_checks() -> None:
    (text,) = findings(made=200).shortcomings
    assert text.en == "no mutant was marked, since the solution itself loses points"


def test_operators_are_told_in_the_order_of_the_registry_without_those_that_made_none() -> None:
    equivalent = verdict(3, Fate.EQUIVALENT, FULL, "term")
    assert findings(KILLED[0], SURVIVED[0], equivalent).by_operator() == {
        "term": Tally(mutants=2, killed=0, equivalent=1),
        "sign": Tally(mutants=1, killed=1, equivalent=0),
    }


def test_a_check_is_alone_where_no_other_loses_points() -> None:
    verdicts = [verdict(0, Fate.KILLED, lost("one")), verdict(1, Fate.KILLED, lost("one", "two"))]
    one, two = findings(*verdicts).by_check()
    assert (one.first, one.killed, one.alone, one.idle) == (2, 2, 1, False)
    assert (two.first, two.killed, two.alone, two.idle) == (0, 1, 0, True)


def test_where_marking_stops_early_nobody_is_called_idle() -> None:
    _, two = findings(KILLED[0], thorough=False).by_check()
    assert (two.alone, two.idle) == (None, False)
