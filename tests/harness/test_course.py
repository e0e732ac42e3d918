"""Course files: what is right loads, what is wrong is named with its file, its key and what to do."""

import shutil
from pathlib import Path

import pytest

from harness.cli import bundled_course
from harness.course import load_course
from harness.errors import ConfigurationError, ExitCode, UsageError


@pytest.fixture
def course(tmp_path: Path) -> Path:
    return Path(shutil.copytree(bundled_course().folder, tmp_path / "course", ignore=shutil.ignore_patterns("cohort")))


def test_the_bundled_course_loads() -> None:
    course = bundled_course()
    course_of = {"tokenizer", "ngram", "attention", "transformer", "sampling", "finetuning", "rag"}
    assert set(course.assignments) == course_of
    assert course.assignment("ngram").file.policy.forbidden == ("nltk", "sklearn")


def test_an_unknown_assignment_is_named_with_those_there_are() -> None:
    with pytest.raises(UsageError, match=r"no assignment 'x'.*attention, finetuning, ngram") as caught:
        bundled_course().assignment("x")
    assert caught.value.exit_code is ExitCode.USAGE


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("points = 20", "", "key 'points'"),
        ("points = 20", "points = 20\npionts = 20", "unknown key 'pionts'"),
        ("points = 20", 'points = "20"', "key 'points'"),
        ("points = 20", "points = -1", "key 'points'"),
        ("points = 20", "points = true", "key 'points'"),
        ("wall_s = 120.0", "walls = 120.0", "unknown key 'limits.walls'"),
        ("wall_s = 120.0", "wall_s = 0", "key 'limits.wall_s'"),
        ("memory_bytes = ", "memory_bytes = 1.5 # ", "key 'limits.memory_bytes'"),
        ('slug = "ngram"', 'slug = "bigram"', "'bigram'"),
        ("points = 20", "points = 20\ndue = 2027-01-31T23:59:00", "due has no offset"),
        ("points = 20", 'points = 20\ndevice = "tpu"', "key 'device'"),
        ("data/prenoms.txt", "data/nothing.txt", "nothing.txt is missing"),
        ("points = 20", "points = ", "not valid TOML"),
        ('name = "bigram_counts"', "", "key 'entry_points.0.name'"),
    ],
)
def test_what_is_wrong_is_named(course: Path, old: str, new: str, words: str) -> None:
    path = course / "ngram" / "assignment.toml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load_course(course)
    assert words in str(caught.value)
    assert str(course / "ngram") in str(caught.value)


def test_a_whole_number_of_seconds_is_fine(course: Path) -> None:
    path = course / "ngram" / "assignment.toml"
    path.write_text(path.read_text(encoding="utf-8").replace("wall_s = 120.0", "wall_s = 120"), encoding="utf-8")
    assert load_course(course).assignment("ngram").file.limits.wall_s == 120


def test_weights_name_assignments(course: Path) -> None:
    path = course / "course.toml"
    path.write_text(path.read_text(encoding="utf-8") + "\n[weights]\nnagram = 2.0\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"weights\.nagram names no assignment"):
        load_course(course)


def test_a_folder_without_a_course(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"course\.toml is missing"):
        load_course(tmp_path)


AUDIT = """
[audit]
killed = 0.5

[[audit.equivalent]]
mutant = "cell/term/0123abcd"
reason = { fr = "Parce que.", en = "Because." }
"""


def with_audit(course: Path, audit: str) -> Path:
    path = course / "ngram" / "assignment.toml"
    text = path.read_text(encoding="utf-8").partition("[audit]")[0].partition("[[audit.")[0]
    path.write_text(text + audit, encoding="utf-8")
    return course


def test_what_an_audit_asks_has_defaults(course: Path) -> None:
    plain = load_course(with_audit(course, "")).assignment("ngram").file.audit
    assert (plain.mutants, plain.killed, plain.nulls, plain.seeds, plain.equivalent) == (150, 0.97, 0.05, 30, ())
    audit = load_course(with_audit(course, AUDIT)).assignment("ngram").file.audit
    assert (audit.killed, audit.mutants) == (0.5, 150)
    assert [(one.mutant, one.reason.fr) for one in audit.equivalent] == [("cell/term/0123abcd", "Parce que.")]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("killed = 0.5", "killed = 97", "key 'audit.killed'"),
        ("killed = 0.5", "seeds = 0", "key 'audit.seeds'"),
        ("killed = 0.5", "survivors = 3", "unknown key 'audit.survivors'"),
        ('fr = "Parce que.", ', "", "key 'audit.equivalent.0.reason.fr'"),
        ('"cell/term/0123abcd"', '""', "key 'audit.equivalent.0.mutant'"),
        ("[audit]", AUDIT.partition("killed = 0.5")[2] + "[audit]", "'cell/term/0123abcd' stands 2 times"),
    ],
)
def test_what_is_wrong_in_an_audit_is_named(course: Path, old: str, new: str, words: str) -> None:
    with_audit(course, AUDIT.replace(old, new, 1))
    with pytest.raises(ConfigurationError) as caught:
        load_course(course)
    assert words in str(caught.value)
