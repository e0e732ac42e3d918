"""Pages made ahead are those that would be made at the end, and are left where anything has changed since."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.records import Cohort, Override
from reports import drafts as module
from reports import render
from reports.drafts import Drafts

EARLIER = "the page made ahead"


@pytest.fixture
def drafts(full_cohort: Cohort) -> Drafts:
    """Of all results of the full cohort, as they were told one by one."""
    made = Drafts("fr", after_due=False)
    for result in full_cohort.results:
        made.ask(full_cohort.run, result)
    return made


@pytest.fixture
def plain(full_cohort: Cohort) -> Cohort:
    """The cohort without decisions of the instructor."""
    return replace(full_cohort, overrides=())


def files(out: Path) -> dict[str, str]:
    return {str(path.relative_to(out)): path.read_text(encoding="utf-8") for path in out.rglob("*.html")}


def test_what_is_written_is_the_same_with_and_without(
    drafts: Drafts, full_cohort: Cohort, samples: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return samples.NOW.astimezone(tz)

    monkeypatch.setattr(module, "datetime", Clock)
    made = Drafts("fr", after_due=False)
    for result in full_cohort.results:
        made.ask(full_cohort.run, result)
    for folder, given in (("with", made), ("without", None)):
        render.write(full_cohort, tmp_path / folder, language="fr", now=samples.NOW, drafts=given)
    assert made.of(full_cohort, "fr", after_due=False)
    assert files(tmp_path / "with") == files(tmp_path / "without")


def test_all_results_have_theirs(drafts: Drafts, plain: Cohort) -> None:
    found = drafts.of(plain, "fr", after_due=False)
    assert set(found) == {result.candidate for result in plain.results}
    assert {folder for pages in found.values() for folder in pages} == {"students", "instructor"}


def test_where_the_instructor_has_decided_there_is_none(drafts: Drafts, plain: Cohort) -> None:
    student = plain.results[0].candidate.student
    decided = replace(plain, overrides=(Override(student, None, None, "bien", "instructor", datetime.now(UTC)),))
    found = drafts.of(decided, "fr", after_due=False)
    assert student not in {candidate.student for candidate in found}
    assert found


def test_what_has_another_result_by_now_has_none(drafts: Drafts, plain: Cohort) -> None:
    first, *rest = plain.results
    found = drafts.of(replace(plain, results=(replace(first, penalty=1.0), *rest)), "fr", after_due=False)
    assert first.candidate not in found
    assert len(found) == len(rest)


def test_another_run_another_language_and_the_time_after_the_due_date_have_none(drafts: Drafts, plain: Cohort) -> None:
    assert drafts.of(replace(plain, run=replace(plain.run, id="another")), "fr", after_due=False) == {}
    assert drafts.of(plain, "en", after_due=False) == {}
    assert drafts.of(plain, "fr", after_due=True) == {}


def test_they_are_written(drafts: Drafts, plain: Cohort, samples: SimpleNamespace, tmp_path: Path) -> None:
    drafts.of(plain, "fr", after_due=False)
    for candidate, (run, result, pages) in drafts._made.items():
        drafts._made[candidate] = run, result, dict.fromkeys(pages, EARLIER)
    render.write(plain, tmp_path, language="fr", now=samples.NOW, drafts=drafts)
    texts = files(tmp_path)
    assert EARLIER not in texts.pop("index.html")
    assert set(texts.values()) == {EARLIER}


def test_there_are_no_more_than_memory_is_to_hold(plain: Cohort, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 2)
    made = Drafts("fr", after_due=False)
    for result in plain.results:
        made.ask(plain.run, result)
        made.of(plain, "fr", after_due=False)
    assert len(made._made) == 2


def test_one_that_fails_is_left_to_the_end(
    plain: Cohort, samples: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = render.submission_pages
    broken = plain.results[0].candidate

    def pages(cohort: Cohort, result: Any, **given: Any) -> Any:
        if result.candidate == broken and len(cohort.results) == 1:
            raise ValueError("broken")
        return really(cohort, result, **given)

    monkeypatch.setattr(render, "submission_pages", pages)
    made = Drafts("fr", after_due=False)
    for result in plain.results:
        made.ask(plain.run, result)
    assert set(made.of(plain, "fr", after_due=False)) == {result.candidate for result in plain.results[1:]}
    render.write(plain, tmp_path, language="fr", now=samples.NOW, drafts=made)
    assert len(files(tmp_path)) == 2 * len(plain.results) + 1


def test_templates_that_cannot_be_read_keep_nobody_waiting(plain: Cohort, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise OSError("no template")

    monkeypatch.setattr(render, "prepare", broken)
    monkeypatch.setattr(render, "submission_pages", broken)
    made = Drafts("fr", after_due=False)
    made.ask(plain.run, plain.results[0])
    assert made.of(plain, "fr", after_due=False) == {}


def test_nothing_asked_for_is_nothing_made(plain: Cohort) -> None:
    made = Drafts("fr", after_due=False)
    assert made.of(plain, "fr", after_due=False) == {}
    assert made._thread is None
