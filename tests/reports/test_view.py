"""What pages say is counted rightly and bounded."""

from types import SimpleNamespace

import pytest

from harness.records import CellRun, Cohort, Notice, Outcome, Override, Status, StudentError, Text
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
