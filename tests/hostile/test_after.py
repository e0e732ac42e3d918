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

import pytest

pytestmark = pytest.mark.slow
HERE = Path(__file__).parent
PATIENCE_S = 60.0  # for processes to start on a busy machine
SOON_S = 20.0  # for them to end; well before their own limits of CPU time would end them
HIDDEN_NUMBER = "918273645546372819"  # of hidden.json; 23_told_by_errors says it wherever it can
DAEMON = "bareme-hostile-daemon"  # what such a process is called, here and in 45_daemons
LIVELY = f"""# %%
import os, signal

for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    os.execv("/bin/sleep", ["{DAEMON}", "600"])
while True:
    pass
"""


def test_the_run_went_to_its_end(marked: Any) -> None:
    assert set(marked.results) == names(marked.submissions)


def test_no_process_is_left(marked: Any) -> None:
    assert marked.left_running == []


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


def test_a_killed_grader_takes_everything_along(grader: Any, tmp_path: Path) -> None:
    for student in ("first", "second"):
        grader.hand_in(tmp_path / "in", student, LIVELY)
    run = subprocess.Popen(grader.line(tmp_path / "in", tmp_path / "out"), stdout=subprocess.DEVNULL)
    eventually(lambda: sum(DAEMON in line for line in grader.running()) == 2, PATIENCE_S)
    run.send_signal(signal.SIGKILL)
    run.wait()
    eventually(lambda: not grader.running(), SOON_S)


def eventually(holds: Any, patience_s: float) -> None:
    end = time.monotonic() + patience_s
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
