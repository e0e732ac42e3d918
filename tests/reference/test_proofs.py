"""The measuring stick itself: what counts as apart, what a proof keeps, and what the table makes of it."""

import importlib.util
import inspect
import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import reference
from reference.evaluation import perplexity

sys.path.append(str(Path(__file__).parent))
from conftest import Proof, apart

ROOT = Path(reference.__file__).parents[1]
SPEC = importlib.util.spec_from_file_location("reference_table", ROOT / "benchmarks" / "reference_table.py")
table = importlib.util.module_from_spec(SPEC)
sys.modules["reference_table"] = table  # dataclasses look their module up
SPEC.loader.exec_module(table)


@pytest.mark.parametrize(
    ("ours", "theirs", "distance"),
    [
        (1.0, 1.5, 0.5 / 1.5),
        (0.25, 0.5, 0.25),  # below 1: absolute
        ([1.0, math.inf, -math.inf], [1.0, math.inf, -math.inf], 0.0),
        ([1.0, math.inf], [1.0, -math.inf], math.inf),
        ([math.nan], [math.nan], math.inf),
        ([], [], 0.0),
        (torch.ones(2, 2), np.ones((2, 2)), 0.0),
    ],
)
def test_apart(ours, theirs, distance) -> None:
    found = apart(ours, theirs)
    assert found == distance or (math.isinf(distance) and found > 1e300)


def test_other_shapes_are_never_close() -> None:
    with pytest.raises(AssertionError, match="shape"):
        apart(np.ones((2, 1)), np.ones((1, 2)))  # would broadcast


def test_a_proof_keeps_what_it_measured_and_only_if_it_holds() -> None:
    kept = []
    Proof(perplexity, "closed form", kept).close(1.0, 1.0 + 1e-9, within=1e-8)
    with pytest.raises(AssertionError, match=r"apart by 1e-09, allowed 1e-10"):
        Proof(perplexity, "closed form", kept).close(1.0, 1.0 + 1e-9, within=1e-10)
    with pytest.raises(AssertionError):
        Proof(perplexity, "closed form", kept).equal("a", "b")
    ((name, one),) = kept
    assert name == "proof"
    assert one["component"] == "reference.evaluation.likelihood:perplexity"
    assert one["deviation"] == pytest.approx(1e-9)


def proofs(deviation: float) -> list[dict[str, object]]:
    """One proof of each component, as pytest --proofs would keep it."""
    found = []
    for component in table.subjects():
        names = sorted(table.keys(component))
        found.append({"component": names[0], "against": "a | b", "deviation": deviation, "within": 1.0})
    return json.loads(json.dumps(found))


def test_rows_say_file_source_and_deviation_rounded_up() -> None:
    rows, unproven = table.table(proofs(2.1e-13))
    assert not unproven
    (row,) = (row for row in rows if row.component == "reference.evaluation.perplexity")
    assert row.file == "reference/evaluation/likelihood.py"
    assert row.source.startswith("Jelinek, Mercer")
    assert str(row).endswith(r"| a \| b | 3e-13 |")


def test_a_page_is_read_back_as_it_was_written(tmp_path) -> None:
    rows, _ = table.table(proofs(3e-13))
    page = tmp_path / "page.md"
    page.write_text(table.HEADER + "".join(f"{row}\n" for row in rows))
    assert [row.stable for row in table.read(page)] == [row.stable for row in rows]
    assert table.differences(table.read(page), rows) == []


def test_what_differs_from_the_page_is_told() -> None:
    rows, _ = table.table(proofs(3e-13))
    worse, _ = table.table(proofs(3.1e-12))
    exact, _ = table.table([one | {"within": 0.0} for one in proofs(0.0)])
    assert any(
        "3.1e-12 from a | b, docs/reference.md says 3e-13" in line.replace("\\", "")
        for line in table.differences(rows, worse)
    )
    assert any("the proofs say" in line for line in table.differences(rows, exact))
    assert any("not in docs/reference.md" in line for line in table.differences(rows[1:], rows))
    assert any("no longer in the oracle" in line for line in table.differences(rows, rows[1:]))
    small, smaller = (table.table(proofs(value))[0] for value in (1e-17, 9e-15))
    assert table.differences(small, smaller) == []  # a few roundings


def test_a_component_without_a_proof_is_told() -> None:
    _, unproven = table.table(proofs(0.0)[1:])
    assert len(unproven) == 1


def test_proofs_of_passed_tests_are_written(pytester_plain) -> None:
    written = pytester_plain
    assert [one["against"] for one in written] == ["one"]


@pytest.fixture
def pytester_plain(tmp_path):
    """What --proofs writes for one test that passes and one that fails after its proof."""
    import subprocess

    (tmp_path / "test_two.py").write_text(
        inspect.cleandoc(
            """
            def test_one(record_property): record_property("proof", {"against": "one"})
            def test_two(record_property):
                record_property("proof", {"against": "two"})
                raise ValueError
            """
        )
    )
    (tmp_path / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text())
    command = [sys.executable, "-m", "pytest", "-q", "--proofs", str(tmp_path / "deep/proofs.json"), str(tmp_path)]
    subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    return json.loads((tmp_path / "deep/proofs.json").read_text())
