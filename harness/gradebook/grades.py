"""grades.csv: one row a student, for spreadsheets. Scripts read results.json.

UTF-8 with a byte order mark, without which Excel takes accents for something else. In French, fields are parted by
semicolons and decimals by a comma, as a French Excel (and LibreOffice) expects on a double click; in English, by
commas and a point. Text that a spreadsheet would run as a formula gets an apostrophe in front.
Not covered: writing the file (`exports`).
"""

import csv
import io
import math
import re
from collections.abc import Iterable, Sequence

from harness.records import Graded, Language

COLUMNS = ("student", "status", "score", "max_score", "late")  # then the points of each check, then what each measured
SEPARATORS = {"fr": (";", ","), "en": (",", ".")}  # of fields, of decimals
# what starts a formula, in the widths that spreadsheets take for the same, also behind blanks that they strip
FORMULA = re.compile(r"[\s\x00-\x1f]*[=+\-@＝＋－＠]|[\t\r\n]")
CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")  # a spreadsheet would stop reading, or refuse, at these


def grades_csv(results: Sequence[Graded], language: Language) -> bytes:
    """The content of grades.csv for the attempts that count, one for each student."""
    fields, decimals = SEPARATORS[language]
    checks = list(dict.fromkeys(check.id for graded in results for check in graded.checks))
    headlines = list(dict.fromkeys(headline for graded in results for headline in _headlines(graded)))
    text = io.StringIO()
    writer = csv.writer(text, delimiter=fields)
    writer.writerow([_cell(name, decimals) for name in (*COLUMNS, *checks, *headlines)])
    writer.writerows([_cell(value, decimals) for value in _row(graded, checks, headlines)] for graded in results)
    return text.getvalue().encode("utf-8-sig", "backslashreplace")


def _headlines(graded: Graded) -> dict[str, float]:
    """What each check measured first, under its id and unit: "bits [bits/byte]"."""
    return {
        f"{name} [{metric.unit or 'value'}]": metric.value
        for name, metric in graded.metrics.items()
        if name == metric.check
    }


def _row(graded: Graded, checks: Iterable[str], headlines: Iterable[str]) -> list[str | float | None]:
    points = {check.id: check.points for check in graded.checks}
    values = {name: value for name, value in _headlines(graded).items() if math.isfinite(value)}
    about = [graded.candidate.student, graded.status.value, graded.score, graded.max_score, graded.late_s]
    return [*about, *(points.get(check) for check in checks), *(values.get(name) for name in headlines)]


def _cell(value: str | float | None, decimals: str) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        shown = CONTROLS.sub("\N{REPLACEMENT CHARACTER}", value)
        return f"'{shown}" if FORMULA.match(value) else shown
    return repr(float(value)).removesuffix(".0").replace(".", decimals)
