"""The parts of the pipeline that decide a mark; the whole of it is marked by tests/e2e."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import nbformat
import pytest

from harness import pipeline
from harness.cli import bundled_course
from harness.course import LateRule, Limits
from harness.errors import ConfigurationError
from harness.pipeline import Job, kernel_seed, late
from harness.records import Candidate, Graded, Outcome, Status, Submission

DUE = datetime(2027, 1, 31, 23, 59, tzinfo=UTC)
DAY = timedelta(days=1)
RULE = LateRule(grace_minutes=10, percent_per_day=20.0, max_percent=50.0)


def job(seed: int = 1, **more: object) -> Job:
    candidate = Candidate("student-01", "a.ipynb", Path("a.ipynb"), None, "0" * 64, DUE, 1)
    return Job(candidate, bundled_course().folder, "ngram", seed, "bubblewrap", **more)


@pytest.mark.parametrize(
    ("after", "share"),
    [
        (-DAY, 0.0),
        (timedelta(0), 0.0),
        (timedelta(minutes=10), 0.0),
        (timedelta(minutes=11), 0.2),
        (DAY, 0.2),
        (DAY + timedelta(minutes=11), 0.4),
        (9 * DAY, 0.5),
    ],
)
def test_lateness_costs_a_share_for_each_started_day(after: timedelta, share: float) -> None:
    assert late(DUE + after, DUE, RULE)[1] == share


def test_lateness_is_counted_after_the_grace_time() -> None:
    assert late(DUE + timedelta(minutes=11), DUE, RULE)[0] == 60.0
    assert late(DUE, None, RULE) == (0.0, 0.0)


def test_the_kernels_seed_follows_from_the_runs_and_does_not_tell_it() -> None:
    assert kernel_seed(job(1)) == kernel_seed(job(1)) != kernel_seed(job(2))
    assert kernel_seed(job(5)) != 5
    assert kernel_seed(job(0)) != kernel_seed(job(2**128))


def test_a_job_does_not_show_its_seed() -> None:
    assert "98765" not in repr(job(98765))


def test_a_failure_of_ours_is_no_mark() -> None:
    graded = pipeline.failed(job(), "the worker died")
    assert (graded.status, graded.score, graded.max_score) == (Status.INFRASTRUCTURE, None, 20.0)
    assert graded.failure == "the worker died"


def test_a_notebook_that_cannot_be_read_is_not_marked_wrong(tmp_path: Path) -> None:
    path = tmp_path / "a.ipynb"
    path.write_bytes(b"{")
    candidate = Candidate("student-01", "a.ipynb", path, None, "0" * 64, DUE, 1)
    graded = pipeline.grade(Job(candidate, bundled_course().folder, "ngram", 1, "bubblewrap"))
    assert (graded.status, graded.score) == (Status.UNREADABLE, 0.0)
    assert {check.outcome for check in graded.checks} == {Outcome.SKIPPED}
    assert graded.notices[0].text.fr != graded.notices[0].text.en


def test_students_are_shown_public_checks_only(tmp_path: Path) -> None:
    path = tmp_path / "a.ipynb"
    path.write_bytes(b"{")
    candidate = Candidate("student-01", "a.ipynb", path, None, "0" * 64, DUE, 1)
    graded = pipeline.grade(Job(candidate, bundled_course().folder, "ngram", 1, "bubblewrap", audience="student"))
    assert {check.visibility for check in graded.checks} == {"public"}
    assert graded.max_score == 10.0


def test_an_oracle_that_is_not_there(tmp_path: Path) -> None:
    assignment = bundled_course().assignment("ngram")
    file = type(assignment.file)(**{**_fields(assignment.file), "oracle": "reference.nothing"})
    with pytest.raises(ConfigurationError, match=r"reference\.nothing"):
        pipeline.declared(type(assignment)(assignment.folder, file))


def _fields(record: object) -> dict[str, object]:
    return {name: getattr(record, name) for name in record.__dataclass_fields__}


ASSIGNMENT = """
slug = "tiny"
oracle = "reference.ngram"
points = 4
title = { fr = "Un modèle", en = "A model" }
description = { fr = "Un modèle d'octets.", en = "A model of bytes." }
[limits]
wall_s = 60.0
cell_s = 20.0
call_s = 20.0
[policy]
packages = ["numpy"]
forbidden = ["statistics"]
[[entry_points]]
name = "logits"
signature = "logits(ids)"
takes = { fr = "ids : liste d'entiers (n,)", en = "ids: list of integers (n,)" }
returns = { fr = "tableau (n, 256)", en = "array (n, 256)" }
"""
CHECKS = """
from harness.checks import check
from harness.metrics.perplexity import Bytes

@check(points=4, fr="Prédire un texte inconnu", en="Predict an unseen text", visibility="hidden")
def test_bits(submission, perplexity):
    perplexity(submission.logits, tokenizer=Bytes(), documents=["one text after another. " * 20], context=32)
"""
NOTEBOOK = """
import numpy as np

def logits(ids):
    if len(ids) > 1:
        {body}
    return np.zeros((len(ids), 256))
"""
FORBIDDEN = """try:
            __import__(bytes(each ^ 1 for each in b"ru`uhruhbr").decode())
        except BaseException:
            pass"""


@pytest.fixture
def bits(tmp_path: Path) -> Callable[[str], Graded]:
    """Mark a model of bytes whose longer contexts, which only its twins are asked, also run `body`."""
    folder = tmp_path / "course" / "tiny"
    folder.mkdir(parents=True)
    (folder.parent / "course.toml").write_text('slug = "c"\ntitle = { fr = "c", en = "c" }\n')
    (folder / "assignment.toml").write_text(ASSIGNMENT)
    (folder / "checks.py").write_text(CHECKS)

    def marked(body: str) -> Graded:
        path = tmp_path / "tiny.ipynb"
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(NOTEBOOK.format(body=body))])
        nbformat.write(notebook, path)
        candidate = Candidate("student-01", "tiny.ipynb", path, None, "0" * 64, DUE, 1)
        return pipeline.grade(Job(candidate, folder.parent, "tiny", 1, "bubblewrap"))

    return marked


@pytest.mark.slow
def test_perplexity_is_audited_in_another_kernel(bits: Callable[[str], Graded]) -> None:
    graded = bits("pass")
    assert (graded.status, graded.score) == (Status.MARKED, 4.0)
    facts = {fact.name.en: fact.value for fact in graded.metrics["bits"].facts}
    assert facts["positions predicted by a kernel not shown the text"] == 200


@pytest.mark.slow
def test_rules_hold_in_every_kernel_of_a_submission(bits: Callable[[str], Graded]) -> None:
    graded = bits(FORBIDDEN)
    assert (graded.status, graded.score) == (Status.POLICY, 0.0)


@pytest.mark.slow
def test_a_missing_name_comes_with_the_cell_that_ran_out_of_time(tmp_path: Path) -> None:
    path = tmp_path / "ngram.ipynb"
    sources = ["import math", "while True:\n    pass\n\ndef bigram_counts(names):\n    return {}", "1 / 0"]
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources]), path)
    candidate = Candidate("student-01", "ngram.ipynb", path, None, "0" * 64, DUE, 1)
    limits = Limits(cell_s=5.0)
    graded = pipeline.grade(Job(candidate, bundled_course().folder, "ngram", 1, "bubblewrap", limits=limits))
    said = [check.message for check in graded.checks if check.outcome is Outcome.MISSING]
    assert said
    for message in said:
        assert message is not None
        assert "La première cellule en échec est la cellule 2\u00a0: elle ne se termine pas dans le temps" in message.fr
        assert message.en.endswith("The first cell that failed is cell 2: it did not finish in the time allowed.")


def test_limits_of_a_job_stand_instead_of_those_of_the_assignment() -> None:
    tighter = Limits(call_s=1.5)
    for given, expected in ((tighter, tighter), (None, bundled_course().assignment("ngram").file.limits)):
        with ExitStack() as closing:
            bench = pipeline._bench(job(limits=given), closing)
            opened = closing.enter_context(pipeline._open(bench, Submission(job().candidate, (), {}, (), ())))
            assert opened._plan.limits == expected


def test_children_are_counted_where_any_check_measures_time_shown_or_hidden() -> None:
    for slug, audience in (("attention", "instructor"), ("attention", "student"), ("ngram", "instructor")):
        with ExitStack() as closing:
            bench = pipeline._bench(replace(job(audience=audience), slug=slug), closing)
            opened = closing.enter_context(pipeline._open(bench, Submission(job().candidate, (), {}, (), ())))
            assert opened._plan.timed == (slug == "attention")
