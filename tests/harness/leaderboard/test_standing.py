"""Who stands where: which notebook counts, which runs, who has no rank, and what the public page may know."""

import math
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from harness.leaderboard.records import Board, Reason, Split
from harness.records import Better, CheckResult, Outcome, Status, Text, Visibility

LOOK = Text("à regarder", "to be looked at")


def values(board: Board) -> dict[str, float]:
    return {entry.name: entry.value for entry in board.entries}


def reasons(board: Board) -> dict[str, Reason]:
    return {aside.name: aside.reason for aside in board.asides}


def test_a_public_board_is_a_ladder_over_runs_in_order_of_their_start(make: Any) -> None:
    runs = [make.run(i, make.marked("ada", sha, bits=value)) for i, (sha, value) in enumerate(
        [("a", 2.347), ("b", 2.343), ("c", 2.30), ("d", 2.9)]
    )]  # fmt: skip
    told = [make.section(*runs[: n + 1], boards=(make.LADDER,)).boards[0].entries[0] for n in range(4)]
    assert [(entry.value, entry.notebooks) for entry in told] == [(2.35, 1), (2.35, 2), (2.3, 3), (2.3, 4)]
    for order in permutations(runs):
        assert make.section(*order, boards=(make.LADDER,)).boards[0].entries[0].value == 2.3


def test_the_same_notebook_marked_again_is_no_new_try(make: Any) -> None:
    """A lucky rerun, also under another attempt number or from a second folder, moves nothing."""
    runs = [make.run(1, make.marked("ada", "a", bits=2.34))]
    runs += [make.run(2 + i, make.marked("ada", "a", attempt=i, bits=2.34 - 0.1 * i)) for i in range(5)]
    board = make.section(*runs, *runs, boards=(make.LADDER,)).boards[0]
    assert (board.entries[0].value, board.entries[0].notebooks) == (2.34, 1)


def test_a_rerun_counts_where_our_side_had_failed(make: Any) -> None:
    failed = make.failing("ada", Status.INFRASTRUCTURE)
    section = make.section(make.run(1, failed), make.run(2, make.marked("ada", bits=2.3)), boards=(make.LADDER,))
    assert values(section.boards[0]) == {"ADA": 2.3}
    assert section.boards[0].asides == ()


def test_the_final_standing_is_the_median_of_the_last_notebook(make: Any) -> None:
    """Not the best run, not the best notebook, and the private figure alone."""
    best = make.run(1, make.marked("ada", "a", bits=2.0, bits_private=2.0))
    reruns = [
        make.run(
            2 + i, make.marked("ada", "b", bits=2.5, bits_private=make.metric(value, check="bits_private", width=w))
        )
        for i, (value, w) in enumerate([(2.45, 0.1), (2.41, 0.3), (2.6, 0.2)])
    ]
    twice = reruns[2]  # the same run, found in a second folder
    entry = make.section(best, *reruns, twice, twice, boards=(make.BITS,), final=True).boards[0].entries[0]
    assert (entry.value, entry.runs, entry.notebooks) == (2.45, 3, 2)
    assert (entry.low, entry.high) == pytest.approx((2.35, 2.71))


@pytest.mark.parametrize(("attempts", "expected"), [("first", 2.5), ("last", 2.4), ("best", 2.2)])
def test_the_course_says_which_attempt_counts(make: Any, attempts: str, expected: float) -> None:
    runs = (
        make.run(1, make.marked("ada", "a", score=10, bits=2.5)),
        make.run(2, make.marked("ada", "a", score=9, bits=2.5), make.marked("ada", "b", attempt=2, score=16, bits=2.2)),
        make.run(3, make.marked("ada", "c", score=12, bits=2.4)),
    )
    assert values(make.section(*runs, boards=(make.PLAIN,), attempts=attempts).boards[0]) == {"ADA": expected}


def test_a_notebook_climbs_when_it_gets_its_figure(make: Any) -> None:
    """Handed in before another and measured after it, for our failure, it has to beat that one."""
    runs = (
        make.run(1, make.failing("ada", Status.INFRASTRUCTURE, "a")),
        make.run(2, make.marked("ada", "b", bits=2.3)),
        make.run(3, make.marked("ada", "a", bits=2.294)),
    )
    assert values(make.section(*runs, boards=(make.LADDER,)).boards[0]) == {"ADA": 2.3}


def test_a_ladder_says_what_became_of_the_last_notebook_whichever_counts(make: Any) -> None:
    runs = (
        make.run(1, make.marked("ada", "a", score=15, bits=2.3)),
        make.run(2, make.marked("ada", "b", score=2, bits=Outcome.TIMEOUT)),
    )
    board = make.section(*runs, boards=(make.LADDER,), attempts="best").boards[0]
    assert (values(board), reasons(board)) == ({"ADA": 2.3}, {"ADA": Reason.UNANSWERED})


def test_where_the_first_attempt_counts_later_ones_do_not_climb(make: Any) -> None:
    runs = (make.run(1, make.marked("ada", "a", bits=2.5)), make.run(2, make.marked("ada", "b", bits=2.1)))
    entry = make.section(*runs, boards=(make.LADDER,), attempts="first").boards[0].entries[0]
    assert (entry.value, entry.notebooks) == (2.5, 1)


def test_the_best_attempt_is_the_best_by_its_median_mark(make: Any) -> None:
    lucky = [make.run(i, make.marked("ada", "a", score=score, bits=2.5)) for i, score in enumerate([20, 8, 9])]
    steady = make.run(5, make.marked("ada", "b", score=12, bits=2.4))
    assert values(make.section(*lucky, steady, boards=(make.PLAIN,), attempts="best").boards[0]) == {"ADA": 2.4}


def test_ranks_are_shared_by_what_cannot_be_separated(make: Any) -> None:
    figures = {"ada": (2.0, 0.05), "ben": (2.06, 0.05), "cleo": (2.2, 0.02), "dan": (2.3, 0.2), "eve": (2.6, 0.01)}
    results = [make.marked(name, bits=make.metric(value, width=width)) for name, (value, width) in figures.items()]
    board = make.section(make.run(1, *results), boards=(make.PLAIN,)).boards[0]
    assert [(entry.name, entry.rank, entry.shared) for entry in board.entries] == [
        ("ADA", 1, True),
        ("BEN", 1, True),
        ("DAN", 2, False),  # wide: only ADA is wholly better
        ("CLEO", 3, False),
        ("EVE", 5, False),
    ]


def test_higher_can_be_better(make: Any) -> None:
    def figure(value: float) -> Any:
        return make.metric(value, check="ndcg", better=Better.HIGHER, unit="")

    board = make.section(
        make.run(1, make.marked("ada", ndcg=figure(0.4)), make.marked("ben", ndcg=figure(0.7)))
    ).boards[0]
    assert [entry.name for entry in board.entries] == ["BEN", "ADA"]


@pytest.mark.parametrize("step", [None, 0.01])
@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (Outcome.FAILED, Reason.REFUSED),
        (Outcome.ERROR, Reason.UNANSWERED),
        (Outcome.TIMEOUT, Reason.UNANSWERED),
        (Outcome.MEMORY, Reason.UNANSWERED),
        (Outcome.CRASHED, Reason.UNANSWERED),
        (Outcome.POLICY, Reason.POLICY),
        (Outcome.MISSING, Reason.ABSENT),
        (Outcome.SKIPPED, Reason.ABSENT),
        (Outcome.INFRASTRUCTURE, Reason.INFRASTRUCTURE),
    ],
)
def test_without_a_figure_there_is_no_rank(make: Any, step: float | None, outcome: Outcome, reason: Reason) -> None:
    rule = replace(make.LADDER, step=step)
    board = make.section(make.run(1, make.marked("ada", bits=outcome), make.marked("ben", bits=2.5)), boards=(rule,))
    assert values(board.boards[0]) == {"BEN": 2.5}
    assert reasons(board.boards[0]) == {"ADA": reason}


@pytest.mark.parametrize("step", [None, 0.01])
@pytest.mark.parametrize("status", [Status.POLICY, Status.UNREADABLE, Status.INFRASTRUCTURE])
def test_without_a_mark_there_is_no_rank(make: Any, step: float | None, status: Status) -> None:
    """Also where a figure had been measured before."""
    result = replace(make.marked("ada", bits=1.0), status=status)
    section = make.section(make.run(1, result, make.marked("ben", bits=2.0)), boards=(replace(make.LADDER, step=step),))
    assert reasons(section.boards[0]) == {"ADA": Reason(status.value)}
    assert values(section.boards[0]) == {"BEN": 2.0}


@pytest.mark.parametrize("final", [False, True])
def test_what_a_person_must_look_at_is_never_ranked(make: Any, final: bool) -> None:
    """Once quarantined, more runs do not wash it off; a second figure of the same check is held back with it."""
    odd = make.metric(1.0, quarantine=LOOK)
    beside = replace(make.metric(9.0), unit="tokens")
    runs = [make.run(1, make.marked("ada", **{"bits": odd, "bits.tokens": beside}))]
    runs += [make.run(i, make.marked("ada", **{"bits": 2.0, "bits.tokens": beside})) for i in (2, 3, 4)]
    boards = (make.LADDER, replace(make.PLAIN, public="bits.tokens"))
    for board in make.section(*runs, boards=boards, final=final).boards:
        assert reasons(board) == {"ADA": Reason.QUARANTINED}
        assert board.entries == ()


@pytest.mark.parametrize("step", [None, 0.01])
@pytest.mark.parametrize("late", [0, 2])
def test_a_rerun_that_looks_wrong_takes_the_notebook_off_the_board(make: Any, step: float | None, late: int) -> None:
    runs = [make.run(i, make.marked("ada", bits=2.0)) for i in (1, 2)]
    runs.append(make.run(late, make.marked("ada", bits=make.metric(1.0, quarantine=LOOK))))
    runs.append(make.run(late + 3, make.failing("ben", Status.POLICY), make.marked("cleo", bits=2.5)))
    runs.append(make.run(late + 4, make.marked("ben", bits=2.2)))
    board = make.section(*runs, boards=(replace(make.LADDER, step=step),)).boards[0]
    assert values(board) == {"CLEO": 2.5}
    assert reasons(board) == {"ADA": Reason.QUARANTINED, "BEN": Reason.POLICY}


def test_an_author_keeps_the_place_that_an_earlier_notebook_reached(make: Any) -> None:
    runs = (make.run(1, make.marked("ada", "a", bits=2.3)), make.run(2, make.marked("ada", "b", bits=Outcome.ERROR)))
    board = make.section(*runs, boards=(make.LADDER,)).boards[0]
    assert (values(board), reasons(board)) == ({"ADA": 2.3}, {"ADA": Reason.UNANSWERED})
    final = make.section(*runs, boards=(make.LADDER,), final=True).boards[0]
    assert (values(final), reasons(final)) == ({}, {"ADA": Reason.UNANSWERED})


@pytest.mark.parametrize(("failures", "ranked"), [(0, True), (1, True), (2, False), (3, False), (4, False)])
def test_a_notebook_that_fails_in_half_of_its_runs_has_no_value(make: Any, failures: int, ranked: bool) -> None:
    figures = [Outcome.TIMEOUT] * failures + [2.1, 2.2, 2.3, 2.4][failures:]
    runs = [make.run(i, make.marked("ada", bits=figure)) for i, figure in enumerate(figures)]
    board = make.section(*runs, boards=(make.PLAIN,)).boards[0]
    assert bool(board.entries) is ranked
    assert reasons(board) == ({} if ranked else {"ADA": Reason.UNANSWERED})


def test_a_check_that_failed_after_it_measured_has_no_figure(make: Any) -> None:
    """Fast and wrong is not fast. A value that is merely bad, below where points start, is one."""
    scale = {"anchors": make.ANCHORS, "max_points": 4.0, "points": 0.0}

    def failed(name: str, value: float, **rest: Any) -> Any:
        result = make.marked(name, bits=make.metric(value, **rest))
        return replace(result, checks=tuple(replace(check, outcome=Outcome.FAILED) for check in result.checks))

    results = [failed("wrong", 1.0, **scale), failed("bad", 3.4, **scale), failed("unscaled", 1.0)]
    board = make.section(make.run(1, *results), boards=(make.PLAIN,)).boards[0]
    assert values(board) == {"BAD": 3.4}
    assert reasons(board) == {"WRONG": Reason.REFUSED, "UNSCALED": Reason.REFUSED}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("step", [None, 0.01])
def test_what_is_no_number_has_no_rank(make: Any, value: float, step: float | None) -> None:
    section = make.section(make.run(1, make.marked("ada", bits=value)), boards=(replace(make.LADDER, step=step),))
    assert reasons(section.boards[0]) == {"ADA": Reason.REFUSED}


@pytest.mark.parametrize("ends", [(math.nan, math.nan), (-math.inf, 2.1), (1.9, math.inf)])
@pytest.mark.parametrize("step", [None, 0.01])
def test_without_an_interval_there_is_no_rank(make: Any, ends: tuple[float, float], step: float | None) -> None:
    """Else whoever cannot be measured would share the first rank."""
    vague = make.metric(2.0, low=ends[0], high=ends[1])
    run = make.run(1, make.marked("ada", bits=vague), make.marked("ben", bits=2.5))
    board = make.section(run, boards=(replace(make.LADDER, step=step),)).boards[0]
    assert (values(board), reasons(board)) == ({"BEN": 2.5}, {"ADA": Reason.REFUSED})


def test_an_interval_beside_its_value_is_widened_to_it(make: Any) -> None:
    board = make.section(
        make.run(1, make.marked("ada", bits=make.metric(2.0, low=2.1, high=2.2))), boards=(make.PLAIN,)
    )
    assert (board.boards[0].entries[0].low, board.boards[0].entries[0].high) == (2.0, 2.2)


def test_the_public_standing_knows_nothing_of_hidden_checks(make: Any) -> None:
    """Not the value, not the lines of the figure, not even who failed there: nothing moves when they do."""

    def section(private: Any, final: bool = False) -> Any:
        results = [make.marked(name, bits=2.0 + i, bits_private=private(i)) for i, name in enumerate(("ada", "ben"))]
        return make.section(make.run(1, *results), boards=(make.BITS,), final=final)

    def figure(value: float) -> Any:
        return make.metric(value, check="bits_private", baseline=9.0)

    public = [
        section(private) for private in (lambda i: figure(5.0 + i), lambda i: figure(7.0 - i), lambda i: Outcome.ERROR)
    ]
    assert public[0] == public[1] == public[2]
    assert public[0].boards[0].split is Split.PUBLIC
    final = section(lambda i: figure(7.0 - i), final=True).boards[0]
    assert (final.split, values(final), final.baseline) == (Split.PRIVATE, {"BEN": 6.0, "ADA": 7.0}, 9.0)


def test_figures_from_when_a_check_was_hidden_stay_hidden(make: Any) -> None:
    result = make.marked("ada", bits=1.5)
    hidden = replace(result, checks=tuple(replace(check, visibility=Visibility.HIDDEN) for check in result.checks))
    runs = (make.run(1, hidden), make.run(2, make.marked("ada", bits=2.0)))
    assert values(make.section(*runs, boards=(make.PLAIN,)).boards[0]) == {"ADA": 2.0}
    assert values(make.section(*runs, boards=(make.PLAIN,), final=True).boards[0]) == {"ADA": 1.75}


def test_a_figure_in_another_unit_is_of_another_quantity(make: Any) -> None:
    old = make.run(1, make.marked("ada", bits=make.metric(1.4, unit="nats/byte")))
    assert values(make.section(old, make.run(2, make.marked("ada", bits=2.0)), boards=(make.PLAIN,)).boards[0]) == {
        "ADA": 2.0
    }


def test_lines_are_those_of_the_newest_run(make: Any) -> None:
    runs = (
        make.run(1, make.marked("ada", bits=make.metric(2.5, baseline=9.0, oracle=1.0))),
        make.run(2, *(make.marked(f"{b}", bits=make.metric(2.5, baseline=b, oracle=None)) for b in (3.0, 4.0, 5.0))),
    )  # fmt: skip
    board = make.section(*runs, boards=(make.PLAIN,)).boards[0]
    assert (board.baseline, board.oracle) == (4.0, None)


def test_who_is_not_of_a_board_is_not_on_it(make: Any) -> None:
    other = replace(
        make.marked("ada"),
        checks=(CheckResult("counts", LOOK, Visibility.PUBLIC, 1, 1, Outcome.PASSED, None, None, 0.0),),
    )
    board = make.section(make.run(1, other), make.run(2, make.marked("ben", bits=2.0)), boards=(make.PLAIN,)).boards[0]
    assert (values(board), reasons(board)) == ({"BEN": 2.0}, {})


def test_nobody(make: Any) -> None:
    section = make.section(make.run(1), boards=(make.BITS,), fronts=(make.FRONT,))
    assert (section.boards[0].entries, section.boards[0].asides, section.fronts[0].points) == ((), (), ())


def test_the_order_says_nothing_of_the_students(make: Any) -> None:
    """Same figures: by pseudonym, not by the student behind it."""
    results = [make.marked(name, bits=2.0, energy=1.0) for name in ("zoe", "mia", "ada")]
    results += [make.marked(name, bits=Outcome.ERROR) for name in ("bob", "yan")]
    names = {"zoe": "A", "mia": "B", "ada": "C", "yan": "D", "bob": "E"}.__getitem__
    section = make.section(make.run(1, *results), boards=(make.PLAIN,), fronts=(make.FRONT,), names=names)
    assert [entry.name for entry in section.boards[0].entries] == ["A", "B", "C"]
    assert [aside.name for aside in section.boards[0].asides] == ["D", "E"]
    assert [point.name for point in section.fronts[0].points] == ["A", "B", "C"]


def test_a_front_pairs_what_one_notebook_reached(make: Any) -> None:
    """Nobody combines the quality of one notebook with the thrift of another."""
    runs = (
        make.run(1, make.marked("ada", "a", bits=2.0, energy=9.0), make.marked("ben", bits=2.2, energy=4.0)),
        make.run(2, make.marked("ada", "b", bits=2.5, energy=2.0), make.marked("cleo", bits=2.3, energy=4.0)),
    )
    final = make.section(*runs, boards=(make.PLAIN,), fronts=(make.FRONT,), final=True).fronts[0]
    assert [(p.name, p.quality, p.cost, p.dominated) for p in final.points] == [
        ("BEN", 2.2, 4.0, False), ("ADA", 2.5, 2.0, False), ("CLEO", 2.3, 4.0, True),
    ]  # fmt: skip
    public = make.section(*runs, boards=(make.LADDER,), fronts=(make.FRONT,)).fronts[0]
    assert [(p.name, p.quality, p.cost) for p in public.points if not p.dominated] == [
        ("ADA", 2.0, 9.0), ("BEN", 2.2, 4.0), ("ADA", 2.5, 2.0),
    ]  # fmt: skip


def test_a_public_front_moves_by_the_step_too(make: Any) -> None:
    runs = [make.run(1, make.marked("ada", "a", bits=2.047, energy=5.0))]
    runs += [make.run(2, make.marked("ada", "b", bits=2.046, energy=5.0))]
    points = make.section(*runs, boards=(make.LADDER,), fronts=(make.FRONT,)).fronts[0].points
    assert [(point.quality, point.cost) for point in points] == [(2.05, 5.0)]


def test_a_front_follows_the_private_split_at_the_end(make: Any) -> None:
    runs = (make.run(1, make.marked("ada", bits=2.0, bits_private=2.2, energy=5.0)),)
    front = make.section(*runs, boards=(make.BITS,), fronts=(make.FRONT,), final=True).fronts[0]
    assert (front.quality.metric, [point.quality for point in front.points]) == ("bits_private", [2.2])


def test_joules_for_each_point(make: Any) -> None:
    runs = (
        make.run(1, make.marked("ada", bits=make.metric(2.0, points=4.0), energy=6.0),
                 make.marked("ben", bits=make.metric(3.1, points=0.0), energy=1.0)),
    )  # fmt: skip
    front = make.section(*runs, fronts=(make.FRONT,)).fronts[0]
    assert {point.name: point.cost_per_point for point in front.points} == {"ADA": 1.5, "BEN": None}
    told = make.section(*runs, boards=(make.LADDER,), fronts=(make.FRONT,)).fronts[0]
    assert [point.cost_per_point for point in told.points] == [None, None]  # would tell the value beyond the step


def test_nobody_is_on_a_front_with_one_figure_only(make: Any) -> None:
    results = (
        make.marked("ada", bits=2.0, energy=Outcome.ERROR),
        make.marked("ben", bits=make.metric(1.0, quarantine=LOOK), energy=1.0),
        make.marked("cleo", bits=2.5, energy=3.0),
    )
    for boards in ((make.LADDER,), (make.PLAIN,)):
        points = make.section(make.run(1, *results), boards=boards, fronts=(make.FRONT,)).fronts[0].points
        assert [point.name for point in points] == ["CLEO"]
