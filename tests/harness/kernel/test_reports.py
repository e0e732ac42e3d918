"""Hostile reports become capped records, or an answer that did not pass."""

import pytest

from harness.kernel.protocol import cell_name
from harness.kernel.reports import Reader
from harness.records import Cell, Outcome

CELLS = (Cell(2, "a", "def f():\n    return 1 / 0"), Cell(5, "b", "f()"), Cell(7, "c", "f()"))
READER = Reader(CELLS, forbidden=("nltk", "torch.nn"))
FILE = cell_name(CELLS[0].source)


def answer(outcome="passed", value=1, error=None, changed=False, arguments=None, printed="", violations=()):
    return READER.answer((outcome, value, error, changed, arguments, printed, list(violations)), 0.5)


def test_an_answer_is_read():
    read = answer(printed="hello", violations=[{"name": "nltk", "file": FILE, "line": 2}] * 2)
    assert (read.outcome, read.value, read.output, read.wall_s) == (Outcome.PASSED, 1, "hello", 0.5)
    assert [(notice.cell, notice.line, notice.text.en) for notice in read.violations] == [
        (2, 2, "nltk is not allowed in this assignment: write it yourself, or do without it.")
    ]


@pytest.mark.parametrize(("name", "told"), [("torch.nn.softmax", "torch.nn"), ("nltk_data", None), ("secret", None)])
def test_a_violation_is_told_in_the_words_of_the_rule(name, told):
    """A name from the kernel could carry what a hidden check had sent there."""
    notices = answer(violations=[{"name": name, "file": FILE, "line": 2}]).violations
    assert [notice.text.en.split()[0] for notice in notices] == ([told] if told else [])


@pytest.mark.parametrize(
    "value",
    [
        None,
        (),
        ("passed",),
        ("passed", 1, None, False, None, ""),
        (True, 1, None, False, None, "", []),
        ("passed", 1, None, 1, None, "", []),
        ("passed", 1, None, False, 3, "", []),
        ("passed", 1, None, False, None, b"", []),
        ("infrastructure", 1, None, False, None, "", []),
        ("crashed", 1, None, False, None, "", []),
        ("PASSED", 1, None, False, None, "", []),
        "passed!",
    ],
    ids=repr,
)
def test_an_answer_of_another_shape_did_not_pass(value):
    read = READER.answer(value, 0.0)
    assert (read.outcome, read.value, read.violations) == (Outcome.CRASHED, None, ())


def test_only_a_passed_answer_has_a_value():
    assert answer(outcome="error", value=42).value is None


def test_errors_are_capped_and_placed():
    error = {
        "name": "E" * 1000,
        "message": f"{FILE} " + "m" * 10_000,
        "frames": [(FILE, 2, "f"), ("/home/student/helper.py", 3, "g"), (FILE, 99, "h"), ["x"], (1, 2, 3), None],
    }
    read = answer("error", error=error).error
    assert len(read.name) == 200
    assert len(read.message) <= 4000
    assert read.message.startswith("<cell 2> m")
    assert read.traceback == ("cell 2, line 2, in f: return 1 / 0", "helper.py, line 3, in g", "cell 2, line 99, in h")
    assert (read.cell, read.line) == (2, 99)


@pytest.mark.parametrize("error", ["text", [], {}, {"name": 3}, {"name": "E", "message": 3, "frames": 4}], ids=repr)
def test_errors_of_another_shape_do_no_harm(error):
    read = answer("error", error=error)
    assert read.outcome is Outcome.ERROR
    assert read.error is None or read.error.message == ""


def test_many_frames_and_violations_are_cut():
    error = {"name": "RecursionError", "message": "", "frames": [(FILE, 2, "f")] * 10_000}
    violations = [{"name": f"nltk.n{number}", "file": FILE, "line": number} for number in range(10_000)]
    read = answer("error", error=error, violations=violations)
    assert (len(read.error.traceback), len(read.violations)) == (30, 100)


def test_of_two_equal_cells_the_first_is_named():
    assert (
        READER.readable(f"in {cell_name('f()')}, not {cell_name('other')}") == f"in <cell 5>, not {cell_name('other')}"
    )


@pytest.mark.parametrize("value", [None, [], {"error": 3, "violations": 4}, {"violations": [3, {"name": 1}]}], ids=repr)
def test_a_report_of_another_shape_says_nothing(value):
    report = READER.report(value)
    assert (report.error, report.outcome, report.violations) == (None, None, ())


def test_what_an_error_stands_for_is_one_of_a_few():
    assert READER.report({"error": {"name": "E", "outcome": "memory"}}).outcome is Outcome.MEMORY
    assert READER.report({"error": {"name": "E", "outcome": "passed"}}).outcome is None
