"""The fork server killed, then frozen, while a cohort is being marked: nobody's marks know of it."""

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

pytestmark = pytest.mark.slow
SLUG = "ngram"
STUDENTS = 8
PATIENCE_S = 60.0  # for a kernel to be started
LIMIT_S = 600.0


def students(bareme: Any) -> list[str]:
    """Of several outcomes, and quick: what takes long here is a server's silence."""
    slow = {"timeout", "memory"}
    entries = bareme.expected(SLUG).items()
    return [name for name, entry in entries if not slow & set(entry["checks"].values())][:STUDENTS]


def fork_server(grader: int, before: psutil.Process | None = None) -> psutil.Process:
    """The one that serves the run at this moment, with a kernel under it, and is not the one of `before`."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        for process in psutil.Process(grader).children(recursive=True):
            try:
                serves = is_server(process) and not is_server(process.parent()) and process.children(recursive=True)
                if serves and process != before:
                    return process
            except (psutil.NoSuchProcess, AttributeError):  # it, or its parent, has just ended
                continue
        time.sleep(0.01)
    raise AssertionError("no fork server with a kernel")


def is_server(process: psutil.Process) -> bool:
    line = process.cmdline()
    return bool(line) and "python" in line[0] and any(word.endswith("/warm/server.py") for word in line)


def test_marks_know_nothing_of_servers_that_were_killed_and_frozen(
    bareme: Any, seed: int, orphans: Any, tmp_path: Path
) -> None:
    folder = bareme.few(SLUG, students(bareme), tmp_path / "few")
    arguments = ["grade", SLUG, folder, "--jobs", 2, "--seed", seed, "--kernels", "warm", "--lang", "en"]
    assert bareme(*arguments, "--out", tmp_path / "calm").returncode == 0
    grader = subprocess.Popen(
        bareme.line(*arguments, "--out", tmp_path / "troubled"),
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env={**os.environ, "COLUMNS": "200"},
    )  # fmt: skip
    first = grader.stderr.readline()
    killed = fork_server(grader.pid)
    killed.kill()
    second = grader.stderr.readline()
    frozen = fork_server(grader.pid, before=killed)
    frozen.send_signal(signal.SIGSTOP)
    _, rest = grader.communicate(timeout=LIMIT_S)
    assert grader.returncode == 0, rest
    assert not killed.is_running()
    assert not frozen.is_running()
    told = [line.partition(" ")[0] for line in [first, second, *rest.splitlines()] if f"/{STUDENTS} " in line]
    assert told == [f"{number}/{STUDENTS}" for number in range(1, STUDENTS + 1)]
    assert bareme.comparable(tmp_path / "troubled") == bareme.comparable(tmp_path / "calm")
    assert sorted(item["student"] for item in bareme.results(tmp_path / "troubled")["submissions"]) == sorted(
        path.name for path in folder.iterdir()
    )
    assert orphans() == []
