"""Students and attempts from names alone."""

import unicodedata
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.intake.names import fold, folder_student, label, safe_name, unique


@pytest.mark.parametrize(
    ("stem", "student", "named", "number"),
    [
        ("alice_ngram", "alice", True, 0),
        ("alice_ngram_attempt2", "alice", True, 2),
        ("alice_ngram (1)", "alice", True, 1),
        ("alice-ngram-v3", "alice", True, 3),
        ("jean_dupont_NGRAM", "jean_dupont", True, 0),
        ("alice", "alice", False, 0),
        ("alicengram", "alicengram", False, 0),
        ("ngram", "ngram", True, 0),
        ("doejane_LATE_123_456_ngram-1", "doejane_123", False, 0),
        ("doejane_123_456_ngram", "doejane_123", True, 0),
        ("Zoé Roy_77_assignsubmission_file_tp ngram", "Zoé Roy_77", True, 0),
    ],
)
def test_flat_name(stem: str, student: str, named: bool, number: int) -> None:
    said = label(stem, "ngram")
    assert (said.student, said.names_assignment, said.number) == (student, named, number)


@pytest.mark.parametrize("stamp", ["2027-01-15T10-00-30", "2027-01-15_10:00:30", "20270115T100030Z"])
def test_time_in_a_name(stamp: str) -> None:
    said = label(f"alice_ngram_{stamp}", "ngram")
    assert (said.student, said.time) == ("alice", datetime(2027, 1, 15, 10, 0, 30, tzinfo=UTC))


def test_digits_that_are_no_date_stay_in_the_name() -> None:
    assert label("alice_2027-13-45T10-00-00", "ngram").student == "alice_2027-13-45T10-00-00"


def test_moodle_folder() -> None:
    assert folder_student("Zoé Roy_123_assignsubmission_file_") == "Zoé Roy_123"


def test_names_that_collide_stay_apart_in_the_same_way_whatever_the_order() -> None:
    names = ["alice", "Alice", "alice~2", "Zoe\u0301", "Zo\u00e9"]
    ids = unique(names)
    assert len({fold(student) for student in ids.values()}) == len(names)
    assert unique(reversed(names)) == ids


@given(st.lists(st.text(st.characters(codec=None), max_size=8), unique=True, max_size=8))
def test_ids_are_unique_printable_and_encodable(names: list[str]) -> None:
    ids = unique(names)
    assert set(ids) == set(names)
    assert len({fold(student) for student in ids.values()}) == len(names)
    for student in ids.values():
        assert student.encode("utf-8").decode().isprintable()
        assert student == unicodedata.normalize("NFC", student)


@given(st.lists(st.text(max_size=90), unique=True, max_size=6))
def test_safe_names_are_safe_and_different(students: list[str]) -> None:
    names = [safe_name(student) for student in students]
    assert len(set(names)) == len(students)
    for name in names:
        assert name.isascii()
        assert name == name.lower()
        assert 0 < len(name) <= 64
        assert "/" not in name
        assert name.strip(".-_ ")[0:1].isalnum()


@pytest.mark.parametrize("student", ["..", "con", "a/b", "Alice", "", "x" * 300, "alice-0123456789ab", "<b>"])
def test_a_name_that_is_not_safe_gets_a_digest(student: str) -> None:
    assert safe_name(student) != student
    assert safe_name(student).rpartition("-")[2].isalnum()
