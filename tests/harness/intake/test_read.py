"""Notebooks in every state: read, repaired with a notice, or refused with a reason; never a crash."""

import copy
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.course import Policy
from harness.errors import UnreadableSubmission
from harness.intake.parse import parse_cells
from harness.intake.policy import violations
from harness.intake.read import read
from harness.intake.remarks import remarks
from harness.intake.repair import read_json, read_script
from harness.records import Cell, Submission

Make = Callable[..., bytes]
Submit = Callable[..., Submission]


def codes(submission: Submission) -> list[str]:
    return [notice.code for notice in submission.notices]


def code_cell(source: Any, **changes: Any) -> dict[str, Any]:
    return {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None, "source": source} | changes


def test_a_good_notebook_has_no_notice(submit: Submit, as_bytes: Make) -> None:
    submission = submit(as_bytes("x = 1", "import numpy as np\n%matplotlib inline\nx?"))
    assert submission.cells[0] == Cell(0, "c0", "x = 1")
    assert (submission.notices, submission.violations) == ((), ())


def test_prose_keeps_its_place_in_the_count(submit: Submit, as_bytes: Make) -> None:
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": "# t"},
        code_cell(["a = 1\n", "b"]),
        {"cell_type": "raw"},
    ]
    submission = submit(as_bytes(cells=cells, nbformat_minor=4))
    assert [(cell.index, cell.source) for cell in submission.cells] == [(1, "a = 1\nb")]
    assert codes(submission) == []


@pytest.mark.parametrize("cells", [[], [{"cell_type": "markdown", "metadata": {}, "source": "x"}]])
def test_no_code(cells: list[Any], submit: Submit, as_bytes: Make) -> None:
    submission = submit(as_bytes(cells=cells))
    assert (submission.cells, codes(submission)) == ((), ["no-code"])


REPAIRED = {
    "no-kernelspec": {"metadata": {}},
    "not-python": {"metadata": {"kernelspec": {"language": "R", "name": "ir", "display_name": "R"}}},
    "cell-ids": {"cells": [code_cell("1", id="a"), code_cell("2", id="a"), code_cell("3"), code_cell("4", id="é")]},
    "damaged-cell": {"cells": [code_cell("1", id="a"), 7], "nbformat_minor": 5},
    "bad-characters": {"cells": [code_cell("'\ud800'", id="a")]},
    "no-version": {"nbformat": "4"},
}


@pytest.mark.parametrize("code", REPAIRED)
def test_repair(code: str, submit: Submit, as_bytes: Make) -> None:
    submission = submit(as_bytes("1", **REPAIRED[code]))
    assert codes(submission) == [code]
    assert len({cell.id for cell in submission.cells}) == len(submission.cells) > 0
    assert "\ud800" not in submission.cells[0].source


@pytest.mark.parametrize(
    "cell", [None, [], {}, {"cell_type": 3}, {"cell_type": "chart"}, code_cell(5), code_cell(["a", 1])]
)
def test_damaged_cell_does_not_take_the_others_along(cell: Any, submit: Submit, as_bytes: Make) -> None:
    submission = submit(as_bytes(cells=[cell, code_cell("good = 1", id="g")], nbformat_minor=4))
    assert submission.cells[-1].source == "good = 1"
    assert [(notice.code, notice.cell) for notice in submission.notices] == [("damaged-cell", 0)]


def test_duplicate_keys(submit: Submit, as_bytes: Make) -> None:
    raw = as_bytes("kept = 1").replace(b'{"nbformat": 4', b'{"cells": [], "nbformat": 3, "nbformat": 4')
    submission = submit(raw)
    assert (codes(submission), len(submission.cells)) == (["duplicate-keys"], 1)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le"])
def test_other_encodings(encoding: str, submit: Submit, as_bytes: Make) -> None:
    text = json.dumps(json.loads(as_bytes("x = 'é'")), ensure_ascii=False)
    assert submit(text.encode(encoding)).cells[0].source == "x = 'é'"


UNREADABLE = {
    "empty": (b" \n", "is empty"),
    "truncated": (b'{"nbformat": 4, "cells": [', "not complete JSON"),
    "garbage": (b"\x00\x01\x02\x03", "not "),
    "latin-1": (b'{"nbformat": 4, "cells": ["\xe9"]}', "not UTF-8"),
    "html": (b"<!DOCTYPE html><html>", "not complete JSON"),
    "conflict": (b'{\n<<<<<<< HEAD\n "cells": []\n=======\n', "git conflict"),
    "nested": (b"[" * 200_000, "nested too deeply"),
    "list": (b"[]", "no list of cells"),
    "number": (b"4", "no list of cells"),
    "no cells": (b'{"nbformat": 4}', "no list of cells"),
    "cells a string": (b'{"nbformat": 4, "cells": "x"}', "no list of cells"),
    "worksheets a string": (b'{"nbformat": 3, "worksheets": "x"}', "no list of cells"),
    "version 5": (b'{"nbformat": 5, "cells": []}', "format 5"),
    "version 2": (b'{"nbformat": 2, "cells": []}', "format 2"),
    "long number": (b'{"nbformat": ' + b"9" * 5000 + b"}", "not complete JSON"),
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_unreadable(case: str, submit: Submit) -> None:
    content, words = UNREADABLE[case]
    with pytest.raises(UnreadableSubmission, match=words) as caught:
        submit(content)
    assert caught.value.reason.fr.startswith("Ce fichier")
    assert "ann/notebook.ipynb" in str(caught.value)


def test_too_large(submit: Submit, as_bytes: Make) -> None:
    with pytest.raises(UnreadableSubmission, match="larger than 32 MiB"):
        submit(as_bytes("#" * (33 * 2**20)))


def test_format_3_as_nbformat_reads_it(submit: Submit) -> None:
    old = nbformat.v3.new_notebook(
        worksheets=[
            nbformat.v3.new_worksheet(
                cells=[
                    nbformat.v3.new_heading_cell("title", level=2),
                    nbformat.v3.new_code_cell(input="x = 1\nprint(x)", prompt_number=1),
                    nbformat.v3.new_text_cell("markdown", source="text"),
                    nbformat.v3.new_code_cell(input="y = 2"),
                ]
            )
        ]
    )
    content = nbformat.v3.writes_json(old).encode()
    converted = nbformat.reads(content.decode(), as_version=4)
    expected = [(i, cell.source) for i, cell in enumerate(converted.cells) if cell.cell_type == "code"]
    submission = submit(content)
    assert [(cell.index, cell.source) for cell in submission.cells] == expected
    assert codes(submission) == ["no-kernelspec"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["code", "markdown", "raw"]), st.text()), max_size=6))
def test_valid_notebooks_as_nbformat_reads_them(cells: list[tuple[str, str]]) -> None:
    makers = {
        "code": nbformat.v4.new_code_cell,
        "markdown": nbformat.v4.new_markdown_cell,
        "raw": nbformat.v4.new_raw_cell,
    }
    made = nbformat.v4.new_notebook(cells=[makers[kind](source) for kind, source in cells])
    content = nbformat.writes(made)
    expected = [
        (i, cell.id, cell.source)
        for i, cell in enumerate(nbformat.reads(content, as_version=4).cells)
        if cell.cell_type == "code"
    ]
    read = read_json(content.encode(), "n.ipynb")
    assert [(cell.index, cell.id, cell.source) for cell in read.cells] == expected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["cells", "nbformat", "worksheets", "source", "input", "cell_type", "id", "metadata", "x"]),
            inner | st.sampled_from(["code", 3, 4]),
            max_size=5,
        )
    ),
    max_leaves=20,
)


def outcome(content: bytes, *, script: bool = False) -> None:
    """Everything that `read` does with a notebook's bytes; nothing but a refusal may come out of it."""
    with suppress(UnreadableSubmission):
        repaired = read_script(content, "n.py") if script else read_json(content, "n.ipynb")
        parsed, _ = parse_cells(repaired.cells)
        violations(parsed, {}, ["torch.softmax"])
        remarks(repaired.cells, parsed, importable=(), entry_points=["f"])
        assert len({cell.id for cell in repaired.cells}) == len(repaired.cells)
        for cell in repaired.cells:
            cell.source.encode()


@settings(max_examples=200, deadline=None)
@given(value=JSON)
def test_any_json_is_read_or_refused(value: Any) -> None:
    outcome(json.dumps(value).encode())


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_mutated_notebooks_are_read_or_refused(data: st.DataObject) -> None:
    mutated: Any = copy.deepcopy(BASE)
    for _ in range(data.draw(st.integers(1, 3))):
        node, key = mutated, None
        while isinstance(node, dict | list) and len(node) and data.draw(st.booleans()):
            parent = node
            key = (
                data.draw(st.sampled_from(sorted(node)))
                if isinstance(node, dict)
                else data.draw(st.integers(0, len(node) - 1))
            )
            node = parent[key]
        if key is None:
            continue
        parent[key] = data.draw(JSON)
    outcome(json.dumps(mutated).encode())


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    outcome(content)
    outcome(content, script=True)


@settings(max_examples=100, deadline=None)
@given(st.text(st.sampled_from("%!?()[]'\"\\ \n\tdefx=:#,;/.{}\0"), max_size=40))
def test_any_cell_is_analysed_or_remarked_on(source: str) -> None:
    outcome(json.dumps({"nbformat": 4, "cells": [code_cell(source)]}).encode())


BASE = {
    "nbformat": 4,
    "nbformat_minor": 5,
    "metadata": {"kernelspec": {"language": "python"}},
    "cells": [code_cell(["import torch\n", "x = 1"], id="a"), {"cell_type": "markdown", "id": "b", "source": "t"}],
}


@pytest.mark.parametrize(
    "source",
    [
        "(" * 5000,
        "-" * 100_000 + "1",
        "x" + ".a" * 20_000,
        "x" + "[0]" * 20_000,
        "not " * 50_000 + "x",
        "1" + "+1" * 50_000,
    ],
    ids=["parentheses", "minus", "attributes", "subscripts", "not", "sum"],
)
def test_code_nested_too_deeply(source: str, submit: Submit, as_bytes: Make) -> None:
    submission = submit(as_bytes(source, "import sklearn"), forbidden=["sklearn"])
    assert set(codes(submission)) <= {"not-analysed", "syntax-error"}
    assert submission.notices
    assert [(notice.code, notice.cell) for notice in submission.violations] == [("forbidden-name", 1)]


@pytest.mark.parametrize("source", ["x" + ".a" * 2000, "os.system(" + "+".join(["'a'"] * 2000) + ")"])
def test_code_that_can_be_parsed_but_not_walked(source: str, submit: Submit, as_bytes: Make) -> None:
    submission = submit(as_bytes(source, "import sklearn"), forbidden=["sklearn"])
    assert [(notice.code, notice.cell) for notice in submission.notices] == [("not-analysed", 0)]
    assert [(notice.code, notice.cell) for notice in submission.violations] == [("forbidden-name", 1)]


def test_many_magics_do_not_take_for_ever(submit: Submit, as_bytes: Make) -> None:
    submission = submit(as_bytes("%time x\n" * 20_000, "!ls"))
    assert [(notice.code, notice.cell) for notice in submission.notices] == [("not-analysed", 0)]


@pytest.mark.slow
def test_a_broken_cell_is_paid_for_too(submit: Submit, as_bytes: Make) -> None:
    submission = submit(as_bytes(*["%time x\n" * 200 + "(" * 5] * 30))
    assert codes(submission)[0] == "syntax-error"
    assert codes(submission)[-1] == "not-analysed"


def test_masses_of_code_are_not_analysed(submit: Submit, as_bytes: Make) -> None:
    submission = submit(as_bytes("x = 1", "x = 1\n" * 180_000), beside={"m.py": b"x = 1\n" * 180_000})
    assert [(notice.code, notice.cell) for notice in submission.notices] == [
        ("not-analysed", 1),
        ("module-not-analysed", None),
    ]


def test_syntax_error_is_told_and_the_rest_is_analysed(submit: Submit, as_bytes: Make) -> None:
    submission = submit(as_bytes("x = 1\ndef f(:", "import sklearn"), forbidden=["sklearn"])
    (error,) = submission.notices
    assert (error.code, error.cell, error.line) == ("syntax-error", 0, 2)
    assert [notice.cell for notice in submission.violations] == [1]


def test_invalid_escapes_are_no_error_of_ours(submit: Submit, as_bytes: Make) -> None:
    assert submit(as_bytes(r"x = '\d'", "!ls \\d\n'\\d'")).notices == ()


def test_reading_twice_gives_the_same(submit: Submit, as_bytes: Make) -> None:
    first = submit(as_bytes("import nope", "def f("))
    assert read(first.candidate, policy=Policy()) == first


def test_script_in_percent_format(submit: Submit) -> None:
    text = "# ---\n# jupyter: x\n# ---\n\n# %%\na = 1\n\n# %% [markdown]\n# prose\n\n#%% title\nb = 2\n"
    submission = submit(text.encode(), name="work.py")
    assert [(cell.index, cell.source) for cell in submission.cells] == [(0, "a = 1"), (2, "b = 2")]


def test_script_without_marks_is_one_cell(submit: Submit) -> None:
    submission = submit(b"a = 1\r\nb = 2\r\n", name="work.py")
    assert [cell.source for cell in submission.cells] == ["a = 1\nb = 2"]


def test_script_exported_by_nbconvert(submit: Submit) -> None:
    text = "#!/usr/bin/env python\n# coding: utf-8\n\n# In[1]:\n\n\na = 1\n\n\n# In[ ]:\n\n\nb = 2\n"
    assert [cell.source for cell in submit(text.encode(), name="work.py").cells] == ["a = 1", "b = 2"]


def test_script_encoding_cookie(submit: Submit) -> None:
    content = "# -*- coding: latin-1 -*-\nx = 'é'\n".encode("latin-1")
    assert "x = 'é'" in submit(content, name="work.py").cells[0].source


@pytest.mark.parametrize("content", [b"", b"# coding: nope\nx", b"x = '\xe9'", b"# coding: utf-8\nx = '\xe9'"])
def test_unreadable_script(content: bytes, submit: Submit) -> None:
    with pytest.raises(UnreadableSubmission):
        submit(content, name="work.py")
