"""What pages say is counted rightly and bounded."""

import math
from dataclasses import replace
from types import SimpleNamespace

import pytest

from harness.records import Better, CellRun, Cohort, Fact, Notice, Outcome, Override, Status, StudentError, Text
from reports.measured import FACT_LIMIT, FACTS_LIMIT, measured, metric_rows, metric_view
from reports.view import CELLS_LIMIT, FRAMES_LIMIT, NOTICES_LIMIT, OUTPUT_LIMIT, index_page, submission_page

o = Outcome


def test_scores_are_summed_up_without_those_that_do_not_exist(samples: SimpleNamespace) -> None:
    broken = samples.graded("c", status=Status.INFRASTRUCTURE, score=None, checks=())
    page = index_page(samples.cohort(samples.graded("a", score=10.0), samples.graded("b", score=15.0), broken))

    assert (page.marked, page.unmarked, page.median, page.max_score) == (2, 1, 12.5, 20.0)
    assert sum(bar.count for bar in page.histogram.bars) == 2


def test_nobody_marked_is_no_median_and_no_histogram(samples: SimpleNamespace) -> None:
    broken = samples.graded("c", status=Status.INFRASTRUCTURE, score=None, checks=())

    for cohort in (samples.cohort(), samples.cohort(broken)):
        page = index_page(cohort)
        assert (page.median, page.histogram) == (None, None)


def test_a_pass_rate_leaves_our_own_failures_out(samples: SimpleNamespace) -> None:
    results = [
        samples.graded(str(i), first, *(o.PASSED,) * 4)
        for i, first in enumerate((o.PASSED, o.FAILED, o.INFRASTRUCTURE))
    ]
    page = index_page(samples.cohort(*results))

    assert page.checks[0].pass_share == 0.5
    assert page.checks[0].outcomes == ((o.PASSED, 1), (o.FAILED, 1), (o.INFRASTRUCTURE, 1))
    assert [check.id for check in page.checks] == samples.CHECK_IDS


def test_a_check_of_which_nothing_is_known_has_no_pass_rate(samples: SimpleNamespace) -> None:
    page = index_page(samples.cohort(samples.graded("a", *(o.INFRASTRUCTURE,) * 5)))

    assert page.checks[0].pass_share is None
    assert page.broken_checks == 5


def test_failures_of_ours_are_named_with_their_cause(full_cohort: Cohort) -> None:
    page = index_page(full_cohort)

    assert [(row.name, cause.text) for row, cause in page.failures] == [("inès", "OSError: no space left on device")]
    assert [row.name for row in page.broken] == ["joão"]


def test_every_result_has_its_own_file_whatever_the_names(samples: SimpleNamespace) -> None:
    names = ("anna", "Anna", "ANNA", "zoë", "zoe\u0308", "a/b", "a\\b", "", samples.HOSTILE, "\ud800", "con")
    results = [samples.graded(name) for name in names]
    results += [samples.graded("twice", attempt=1), samples.graded("twice", attempt=2)]
    files = [row.file for row in index_page(samples.cohort(*results)).rows]

    assert len({file.casefold() for file in files}) == len(files)


def test_an_override_of_a_check_that_is_gone_is_still_shown(samples: SimpleNamespace) -> None:
    override = Override("a", "old_check", 1.0, "kept", "instructor", samples.NOW)
    page = index_page(samples.cohort(samples.graded("a"), overrides=(override,)))

    assert page.overrides[0].check == Text("old_check", "old_check")


def test_a_page_holds_the_decisions_on_its_own_student_only(samples: SimpleNamespace) -> None:
    whole = Override("a", None, None, "for a", "instructor", samples.NOW)
    one = Override("a", "trigram_counts", 1.0, "on a check", "instructor", samples.NOW)
    other = Override("b", None, None, "for b", "instructor", samples.NOW)
    cohort = samples.cohort(samples.graded("a"), samples.graded("b"), overrides=(whole, one, other))
    page = submission_page(cohort, cohort.results[0], instructor=False, language="fr")

    assert [row.comment.text for row in page.comments] == ["for a"]
    assert [row.comment.text for row in page.checks[2].decisions] == ["on a check"]


def test_a_submission_is_bounded_and_says_what_is_left_out(samples: SimpleNamespace) -> None:
    error = StudentError("E", "m" * 9_999, tuple(f"frame {i}" for i in range(50)), 0, 3)
    cells = (
        CellRun(0, o.ERROR, 0.1, error, "x" * 1_000_000),
        *(CellRun(i, o.PASSED, 0.1, None, "") for i in range(1, 500)),
    )
    notices = tuple(Notice("n", Text("f", "e"), cell=i) for i in range(NOTICES_LIMIT + 7))
    cohort = samples.cohort(samples.graded("a", cells=cells, notices=notices))
    page = submission_page(cohort, cohort.results[0], instructor=False, language="en")

    assert (len(page.cells), page.cells_left_out) == (CELLS_LIMIT, 500 - CELLS_LIMIT)
    assert (len(page.notices.items), page.notices.left_out) == (NOTICES_LIMIT, 7)
    assert (len(page.cells[0].output.text), page.cells[0].output.left_out) == (OUTPUT_LIMIT, 1_000_000 - OUTPUT_LIMIT)
    assert page.cells[0].error.traceback.text.splitlines() == [f"frame {i}" for i in range(50 - FRAMES_LIMIT, 50)]
    assert page.cells[0].error.summary.left_out > 5_000


def test_cells_are_numbered_as_people_count(samples: SimpleNamespace) -> None:
    cohort = samples.cohort(samples.graded("a", notices=(Notice("n", Text("f", "e"), cell=3, line=2),)))
    page = submission_page(cohort, cohort.results[0], instructor=False, language="en")

    assert [cell.number for cell in page.cells] == [1, 3]
    assert (page.notices.items[0].number, page.notices.items[0].line) == (4, 2)


@pytest.mark.parametrize(("instructor", "shown"), [(True, "broke"), (False, None)])
def test_what_broke_on_our_side_is_for_the_instructor(
    instructor: bool, shown: str | None, samples: SimpleNamespace
) -> None:
    cohort = samples.cohort(samples.graded("a", failure="broke"))
    page = submission_page(cohort, cohort.results[0], instructor=instructor, language="en")

    assert (page.failure and page.failure.text) == shown


def test_what_a_check_measured_begins_with_the_metric_of_its_name(samples: SimpleNamespace) -> None:
    names = {"search.recall": "search", "other": "other", "search": "search", "search.rr": "search"}
    metrics = {name: samples.metric(2.5, check=check) for name, check in names.items()}
    found = measured(metrics, "search")

    assert found is not None
    assert [view.name for view in (found.headline, *found.others)] == ["search", "search.recall", "search.rr"]
    assert measured(metrics, "absent") is None


def test_what_is_recorded_beside_the_first_metric_is_not_said_again(samples: SimpleNamespace) -> None:
    shared, own = Fact(Text("requêtes", "queries"), 12), Fact(Text("requêtes", "queries"), 13)
    metrics = {"search": samples.metric(2.5, check="search", facts=(shared,))}
    metrics["search.rr"] = samples.metric(2.5, check="search", facts=(shared, own))
    found = measured(metrics, "search")

    assert found is not None
    assert (found.headline.facts, found.others[0].facts) == ((shared,), (own,))


def test_facts_are_bounded_and_on_one_line(samples: SimpleNamespace) -> None:
    name = Text("f", "e")
    facts = (
        Fact(name, "two\nlines"),
        Fact(name, "x" * 999),
        Fact(name, Text("deux\nlignes", "y" * 999)),
        *(Fact(name, i) for i in range(99)),
    )
    view = metric_view("m", samples.metric(2.5, facts=facts))

    assert [fact.value for fact in view.facts[:4]] == [
        "two lines",
        "x" * FACT_LIMIT + "…",
        Text("deux lignes", "y" * FACT_LIMIT + "…"),
        0,
    ]
    assert (len(view.facts), view.facts_left_out) == (FACTS_LIMIT, len(facts) - FACTS_LIMIT)


def test_baseline_and_oracle_stand_beside_the_scale_unless_it_names_them(samples: SimpleNamespace) -> None:
    view = metric_view("m", samples.metric(2.5, baseline=3.1, oracle=2.0))
    assert [(anchor.name.en, anchor.value) for anchor in view.references] == [("oracle", 2.0)]
    assert metric_view("m", samples.metric(2.5, baseline=math.nan)).references == ()


def test_a_metric_over_the_cohort_counts_what_is_finite_and_not_set_aside(samples: SimpleNamespace) -> None:
    values = [5.0, 1.0, 2.0, 4.0, 3.0, math.inf, math.nan]
    results = [samples.graded("none")]
    results += [samples.graded(str(i), metrics={"bigram_counts": samples.metric(v)}) for i, v in enumerate(values)]
    reason = Text("à voir", "look")
    aside = samples.metric(0.1, quarantine=reason)
    results += [samples.graded("odd", metrics={"bigram_counts": aside, "bigram_counts.more": aside})]
    (row,) = metric_rows(results)

    assert (row.n, row.quartiles, row.best, row.unmeasured) == (5, (2.0, 3.0, 4.0), 1.0, 2)
    assert row.quarantined == ((8, reason),)
    assert len(row.strip.dots) == 5


@pytest.mark.parametrize(("better", "best"), [(Better.LOWER, 1.0), (Better.HIGHER, 9.0)])
def test_the_best_is_the_best_in_the_metrics_direction(better: Better, best: float, samples: SimpleNamespace) -> None:
    results = [
        samples.graded(str(v), metrics={"bigram_counts": samples.metric(v, better=better)}) for v in (1.0, 9.0, 4.0)
    ]
    assert metric_rows(results)[0].best == best


def test_a_metric_that_nobody_has_a_value_of_has_a_row_without_figures(samples: SimpleNamespace) -> None:
    graded = samples.graded("a", metrics={"bigram_counts": samples.metric(math.nan)})
    (row,) = metric_rows([graded])

    assert (row.n, row.quartiles, row.best, row.strip, row.unmeasured) == (0, None, None, None, 1)
    assert metric_rows([]) == ()


def test_points_are_called_rough_only_where_they_were_rounded(samples: SimpleNamespace) -> None:
    def rough(points: float, *, metrics: bool = False, decided: float | None = None, place: int = 3) -> bool:
        graded = samples.graded("a")
        checks = [replace(check, points=points) if i == place else check for i, check in enumerate(graded.checks)]
        found = {checks[place].id: samples.metric(2.5, check=checks[place].id)} if metrics else {}
        graded = replace(graded, checks=tuple(checks), metrics=found)
        overrides = (Override("a", checks[place].id, decided, "", "instructor", samples.NOW),)
        cohort = samples.cohort(graded, overrides=overrides)
        return submission_page(cohort, graded, instructor=False, language="en").checks[place].rough

    assert rough(2.5)
    assert not rough(0.0)
    assert not rough(5.0)
    assert not rough(2.5, metrics=True)
    assert not rough(2.5, decided=2.5)
    assert not rough(2.5, place=0)
