"""grades.csv, as a spreadsheet reads it."""

import csv
import io
import math
from collections.abc import Callable

import pandas as pd
import pytest

from harness.gradebook.grades import grades_csv
from harness.records import CheckResult, Graded, Metric, Status


def rows(content: bytes, delimiter: str = ",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig")), delimiter=delimiter))


def test_one_row_a_student_and_one_column_a_check(
    make_graded: Callable[..., Graded], make_check: Callable[..., CheckResult]
) -> None:
    more = make_graded("basil", checks=(make_check("counts", 0.1), make_check("extra", 2.0)), late_s=90.0)
    none = make_graded("clio", status=Status.INFRASTRUCTURE, score=None, checks=())
    assert rows(grades_csv([make_graded("élodie"), more, none], "en")) == [
        ["student", "status", "score", "max_score", "late", "counts", "table", "extra"],
        ["élodie", "marked", "1", "8", "0", "1", "0", ""],
        ["basil", "marked", "1", "8", "90", "0.1", "", "2"],
        ["clio", "infrastructure", "", "8", "0", "", "", ""],
    ]


def test_what_a_check_measured_first_has_a_column_with_its_unit(
    make_graded: Callable[..., Graded], make_metric: Callable[..., Metric]
) -> None:
    metrics = {
        "counts": make_metric(2.46),
        "counts.tokens": make_metric(9.0),
        "table": make_metric(0.5, "table", unit=""),
    }
    infinite = make_graded("basil", metrics={"counts": make_metric(math.inf)})
    assert rows(grades_csv([make_graded("alma", metrics=metrics), infinite], "en")) == [
        ["student", "status", "score", "max_score", "late", "counts", "table", "counts [bits/byte]", "table [value]"],
        ["alma", "marked", "1", "8", "0", "1", "0", "2.46", "0.5"],
        ["basil", "marked", "1", "8", "0", "1", "0", "", ""],
    ]


def test_a_french_spreadsheet_opens_it(make_graded: Callable[..., Graded]) -> None:
    content = grades_csv([make_graded("Élodie; dite « É »", score=2.75)], "fr")
    assert content.startswith(b"\xef\xbb\xbfstudent;status;")
    table = pd.read_csv(io.BytesIO(content), sep=";", decimal=",", encoding="utf-8-sig")
    assert table.loc[0, "student"] == "Élodie; dite « É »"
    assert table.loc[0, "score"] == 2.75


@pytest.mark.parametrize(
    "name",
    [
        "=1+1",
        "+cmd|' /C calc'!A0",
        "-2+3",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        " =1",
        "\n=1",
        "\0=1",
        "\xa0=1",
        "＝1+1",
        '=HYPERLINK("http://x","y")',
    ],
)
@pytest.mark.parametrize("language", ["fr", "en"])
def test_no_name_is_a_formula(name: str, language: str, make_graded: Callable[..., Graded]) -> None:
    content = grades_csv([make_graded(name)], "fr" if language == "fr" else "en")
    _, row = rows(content, ";" if language == "fr" else ",")
    assert row[0].startswith("'")
    assert len(row) == 7


def test_the_header_is_neutralised_too(
    make_graded: Callable[..., Graded], make_check: Callable[..., CheckResult]
) -> None:
    header, _ = rows(grades_csv([make_graded(checks=(make_check("=1"),))], "en"))
    assert header[-1] == "'=1"


def test_ordinary_names_stay_as_they_are(make_graded: Callable[..., Graded]) -> None:
    for name in ("student-01", "Anne-Marie", 'a "b", c;d', "x=1", "l'été"):
        assert rows(grades_csv([make_graded(name)], "en"))[1][0] == name


def test_characters_that_no_file_can_hold_are_shown_as_such(make_graded: Callable[..., Graded]) -> None:
    assert rows(grades_csv([make_graded("a\udcff\0b")], "en"))[1][0] == "a\\udcff\N{REPLACEMENT CHARACTER}b"
