"""`bareme audit` on a small course with a known gap: what survives, what is equivalent, and when it says no."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow
COURSE = Path(__file__).parent / "courses" / "audited"
GAP = {"sign/comparison/fe922357", "sign/constant/50ca28f1"}  # the sign of zero, which no check asks for
EQUIVALENT = {"largest/comparison/cf471502", "largest/constant/71280462", "largest/slice/16fb9be6"}
MEASURED = {"seconds", "limits", "used", "share"}  # of time and memory: other each time
FEW = ("--mutants", 6, "--seeds", 1)


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """The course, to be changed."""
    return Path(shutil.copytree(COURSE, tmp_path / "course"))


def change(course: Path, old: str, new: str) -> None:
    path = course / "steps" / "assignment.toml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def found(out: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((out / "audit.json").read_text(encoding="utf-8"))
    return content


def of_fate(content: dict[str, Any], fate: str) -> set[str]:
    return {mutant["id"] for mutant in content["mutants"]["each"] if mutant["fate"] == fate}


def without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_times(item) for key, item in value.items() if key not in MEASURED}
    return [without_times(item) for item in value] if isinstance(value, list) else value


def test_an_audit_finds_the_gap_and_holds(bareme: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = bareme("audit", "steps", "--course", COURSE, "--out", out, "--thorough", "--lang", "en")
    assert (done.returncode, done.stderr.count("Traceback")) == (0, 0), done.stdout + done.stderr
    content = found(out)
    assert content["schema_version"] == 1
    assert content["holds"] is True
    assert of_fate(content, "survived") == GAP
    assert of_fate(content, "equivalent") == EQUIVALENT
    assert content["mutants"]["killed"] == content["mutants"]["made"] - len(GAP) - len(EQUIVALENT)
    assert [seed["points"] for seed in content["seeds"]] == [5.0, 5.0]
    assert [variant["name"] for variant in content["variants"] if variant["fine"]] == ["built_in.py"]
    budget = {spent["limit"]: spent for spent in content["budget"]}
    assert budget.keys() == {"wall_s", "cell_s", "call_s", "memory_bytes"}
    assert all(0 < spent["used"] < spent["allowed"] for spent in budget.values())
    assert {null["points"] for null in content["nulls"]} == {0.0}
    alone = {check["id"]: check["alone"] for check in content["checks"]}
    assert all(alone.values())
    assert "+    return 1 if x > 0 else -1" in done.stdout
    page = (out / "audit.html").read_text(encoding="utf-8")
    assert "sign/comparison/fe922357" in page
    assert {path.name for path in out.iterdir()} == {"audit.html", "audit.json"}


def test_the_same_seed_finds_the_same(bareme: Any, tmp_path: Path) -> None:
    contents = []
    for name in ("one", "two"):
        bareme("audit", "steps", "--course", COURSE, "--out", tmp_path / name, "--seed", 3, "--jobs", 2, *FEW)
        contents.append(without_times(found(tmp_path / name)))
    assert contents[0] == contents[1]
    assert contents[0]["mutants"]["made"] > len(contents[0]["mutants"]["each"]) == 6


def test_below_a_threshold_it_exits_with_one(bareme: Any, course: Path, tmp_path: Path) -> None:
    change(course, "killed = 0.9", "killed = 1.0")
    done = bareme("audit", "steps", "--course", course, "--out", tmp_path / "out", "--seeds", 1, "--lang", "fr")
    assert done.returncode == 1
    assert "mutants sont trouvés (2 survivent)" in done.stdout
    assert found(tmp_path / "out")["holds"] is False


def test_too_few_mutants_are_said(bareme: Any, course: Path, tmp_path: Path) -> None:
    change(course, "mutants = 20", "mutants = 500")
    done = bareme("audit", "steps", "--course", course, "--out", tmp_path / "out", *FEW)
    assert done.returncode == 1
    assert "at least 500 are asked for" in done.stdout


@pytest.mark.parametrize("stale", ["largest/comparison/832abbc9", "largest/comparison/00000000"])
def test_an_equivalent_that_costs_points_or_is_gone_is_named(
    bareme: Any, course: Path, tmp_path: Path, stale: str
) -> None:
    change(course, "largest/comparison/cf471502", stale)
    done = bareme("audit", "steps", "--course", course, "--out", tmp_path / "out", "--seeds", 1)
    assert done.returncode == 1
    assert found(tmp_path / "out")["mutants"]["stale"] == [stale]
    assert of_fate(found(tmp_path / "out"), "survived") == GAP | {"largest/comparison/cf471502"}


def test_a_wrong_variant_is_named_with_the_check(bareme: Any, course: Path, tmp_path: Path) -> None:
    wrong = "def total(values):\n    return sum(map(abs, values))"
    text = (course / "steps" / "variants" / "built_in.py").read_text(encoding="utf-8")
    (course / "steps" / "variants" / "wrong.py").write_text(text.replace("total = sum", wrong), encoding="utf-8")
    done = bareme("audit", "steps", "--course", course, "--out", tmp_path / "out", *FEW)
    assert done.returncode == 1
    assert "Variant wrong.py: 60.0% of the points (total)" in done.stdout


def test_a_null_that_earns_points_is_named(bareme: Any, course: Path, tmp_path: Path) -> None:
    checks = course / "steps" / "checks.py"
    text = checks.read_text(encoding="utf-8")
    always_positive = text.replace("*(-1 - rng.integers(99, size=2)).tolist()", "").replace("[1, -1,", "[1,")
    checks.write_text(always_positive, encoding="utf-8")
    done = bareme("audit", "steps", "--course", course, "--out", tmp_path / "out", *FEW)
    assert done.returncode == 1
    assert "Ones of the right shape: 20.0% of the points" in done.stdout


def test_without_a_right_solution_no_mutant_is_marked(bareme: Any, course: Path, tmp_path: Path) -> None:
    source = course / "steps" / "source.ipynb"
    text = source.read_text(encoding="utf-8")
    source.write_text(text.replace("result += value", "result -= value"), encoding="utf-8")
    done = bareme("audit", "steps", "--course", course, "--out", tmp_path / "out", *FEW)
    assert done.returncode == 1
    assert "the solution itself loses points" in done.stdout
    assert found(tmp_path / "out")["mutants"]["each"] == []


def test_a_check_that_breaks_on_a_wrong_answer_is_our_failure(bareme: Any, course: Path, tmp_path: Path) -> None:
    checks = course / "steps" / "checks.py"
    text = checks.read_text(encoding="utf-8")
    broken = text.replace("submission.sign(x), oracle", "1 // submission.sign(x) and submission.sign(x), oracle")
    checks.write_text(broken, encoding="utf-8")
    done = bareme("audit", "steps", "--course", course, "--out", tmp_path / "out", "--seeds", 1)
    assert done.returncode == 3
    assert of_fate(found(tmp_path / "out"), "undecided")
    assert "ZeroDivisionError" in done.stdout


def test_an_unknown_assignment_and_a_cell_that_is_not_python(bareme: Any, course: Path, tmp_path: Path) -> None:
    assert bareme("audit", "stairs", "--course", course, "--out", tmp_path / "out").returncode == 2
    source = course / "steps" / "source.ipynb"
    text = source.read_text(encoding="utf-8")
    source.write_text(text.replace("def total(values):", "%%time\\ndef total(values:"), encoding="utf-8")
    done = bareme("audit", "steps", "--course", course, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "the solution cell 'total' is not plain Python" in done.stderr
