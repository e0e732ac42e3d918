"""The README of a kit says what students need, in their language, and nothing of what is hidden."""

from pathlib import Path
from typing import Any

import pytest

from harness.release import release

DUE = "due = 2027-01-31T23:59:00+01:00\n\n[late]\ngrace_minutes = 15\npercent_per_day = 7.5\nmax_percent = 60\n"


def text(assignment: Any, out: Path, language: Any) -> str:
    return (release(assignment, out, language) / "README.md").read_text(encoding="utf-8")


def test_it_is_in_french(make: Any, tmp_path: Path) -> None:
    said = text(make(), tmp_path, "fr")
    for words in (
        "# Doubler\n",
        "Doubler l’entier.",
        "- `doubling.ipynb`\n- `numbers.txt`",
        'raise NotImplementedError("à compléter")',
        "bareme check doubling.ipynb",
        "| Doubler\u00a0: un | 1 |",
        "Total\u00a0: 1 points sur 2,5. Les 1,5 autres",
        "- carnet et vérifications\u00a0: 120 s\u202f;",
        "- mémoire\u00a0: 2\u202f048 Mio\u202f;",
        "Elle est fixée par le cours.",
    ):
        assert words in said
    assert "caché" not in said


def test_it_is_in_english(make: Any, tmp_path: Path) -> None:
    said = text(make(), tmp_path, "en")
    for words in (
        "# Doubling\n",
        "- `numbers.txt`",
        'raise NotImplementedError("to be completed")',
        "| Double: one | 1 |",
        "Total: 1 points out of 2.5. The other 1.5",
        "- memory: 2,048 MiB;",
        "It is set by the course.",
    ):
        assert words in said
    assert "concealed" not in said


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("fr", "À rendre avant le 31/01/2027 à 23:59 (UTC+01:00). Ensuite, chaque jour de retard commencé coûte"),
        ("fr", "7,5\u202f% du maximum, 60\u202f% au plus. Les 15 premières minutes ne comptent pas."),
        ("en", "Hand in before 2027-01-31, 23:59 (UTC+01:00). After that, each started day costs 7.5% of the maximum,"),
        ("en", "60% at most. The first 15 minutes do not count."),
    ],
)
def test_the_due_date_and_what_comes_after(make: Any, tmp_path: Path, language: str, words: str) -> None:
    assignment = make(toml=("[data]", DUE + "\n[data]"))
    assert words in text(assignment, tmp_path, language)


def test_a_due_date_after_which_nothing_is_taken_off(make: Any, tmp_path: Path) -> None:
    assignment = make(toml=("[data]", "due = 2027-01-31T23:59:00-04:30\n\n[data]"))
    assert "(UTC-04:30). Handing in late costs no points." in text(assignment, tmp_path, "en")


def test_that_measures_wait_for_the_marking_is_said_where_there_are_any(make: Any, tmp_path: Path) -> None:
    assignment = make()
    assert "model answer" not in text(assignment, tmp_path / "without", "en")
    measuring = assignment.checks.read_text(encoding="utf-8").replace(
        "(submission, compare)", "(submission, growth)", 1
    )
    assignment.checks.write_text(measuring, encoding="utf-8")
    other = tmp_path / "other"  # declared checks are read once a process
    assignment.folder.parent.rename(other)
    from harness.course import load_course

    assert "model answer" in text(load_course(other).assignment("doubling"), tmp_path / "with", "en")
