"""What is left when hostile notebooks have been marked: nothing but the results, and those of others untouched."""

import csv
import filecmp
import json
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import psutil
import pytest

pytestmark = pytest.mark.slow
HERE = Path(__file__).parent
PATIENCE_S = 60.0  # for processes to start or to end on a busy machine
HIDDEN_NUMBER = "918273645546372819"  # of hidden.json; 23_told_by_errors says it wherever it can
LIVELY = ("43_endless_cell", "45_fork_bomb", "45_daemons", "43_signals_ignored")


def test_the_run_went_to_its_end(marked: Any) -> None:
    assert set(marked.results) == names(marked.submissions)


def test_no_process_is_left(marked: Any) -> None:
    assert marked.left_running == []
    lines = [" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])]
    assert [line for line in lines if "bareme-hostile" in line] == []


def test_no_file_is_left(marked: Any) -> None:
    assert names(marked.out.parent / "tmp") == set()
    left = [str(path) for place in ("/tmp", "/dev/shm", "/run") for path in Path(place).glob("*hostile-*")]
    assert left == []
    assert not list((HERE / "course").rglob("__pycache__"))


def test_what_was_handed_in_is_unchanged(marked: Any) -> None:
    for name in names(marked.submissions):
        source = HERE / "notebooks" / f"{name}.py"
        if source.exists():
            assert filecmp.cmp(source, marked.submissions / name / "notebook.py", shallow=False)


def test_results_of_others_are_those_of_an_undisturbed_run(marked: Any, grader: Any, tmp_path: Path) -> None:
    quiet = tmp_path / "quiet"
    bystanders = [name for name in marked.results if name.startswith("bystander")]
    for name in bystanders:
        shutil.copytree(marked.submissions / name, quiet / name)
    undisturbed = grader(quiet, tmp_path / "out")
    assert [comparable(marked.results[name]) for name in bystanders] == [
        comparable(undisturbed.results[name]) for name in bystanders
    ]


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def comparable(graded: Any) -> list[Any]:
    """A result without the times and the paths of its run."""
    checks = [(each.id, each.outcome, each.points, each.message, each.counterexample) for each in graded.checks]
    cells = [(cell.cell, cell.outcome, cell.output) for cell in graded.cells]
    return [graded.status, graded.score, checks, cells, graded.notices, graded.policy]


def test_a_killed_grader_takes_everything_along(marked: Any, grader: Any, tmp_path: Path) -> None:
    some = tmp_path / "in"
    for name in LIVELY:
        shutil.copytree(marked.submissions / name, some / name)
    run = subprocess.Popen(grader.line(some, tmp_path / "out"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    eventually(lambda: any("launch.py" in line for line in grader.running()))
    run.send_signal(signal.SIGKILL)
    run.wait()
    eventually(lambda: not grader.running())


def eventually(holds: Any) -> None:
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_what_a_notebook_says_is_text_wherever_it_is_shown(marked: Any) -> None:
    for page in marked.out.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert "<script>alert" not in text, page
        assert "<img src=x" not in text, page
        assert not {"\x1b", "\x00", "\u202e"} & set(text), page
    with (marked.out / "grades.csv").open(encoding="utf-8-sig", newline="") as file:
        assert not [field for row in csv.reader(file) for field in row if field.startswith(("=", "+", "@"))]
    assert ElementTree.parse(marked.out / "junit.xml").getroot() is not None


def test_hidden_inputs_are_published_nowhere(marked: Any) -> None:
    published = [marked.out / "results.json", marked.out / "grades.csv", *(marked.out / "students").iterdir()]
    assert [path for path in published if HIDDEN_NUMBER in path.read_text(encoding="utf-8")] == []
    told = marked.results["23_told_by_errors"].checks
    assert any(HIDDEN_NUMBER in check.message.en for check in told if check.message)  # it did try


def test_published_results_are_json_with_every_submission(marked: Any) -> None:
    content = json.loads((marked.out / "results.json").read_text(encoding="utf-8"))
    assert {item["student"] for item in content["submissions"]} == set(marked.results)
