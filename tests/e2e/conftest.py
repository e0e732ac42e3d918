"""The command as people run it: a process of its own, its output captured, its exit code looked at."""

import ctypes
import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.cli import bundled_course
from harness.gradebook.results import comparable

LIMIT_S = 900.0
ENDING_S = 10.0
PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
SEED = 7


@dataclass(frozen=True)
class Bareme:
    """The command line, and what its runs leave behind."""

    def line(self, *arguments: object) -> list[str]:
        """The argument list that starts `bareme` with this Python."""
        return [sys.executable, "-m", "harness", *map(str, arguments)]

    def __call__(self, *arguments: object, cwd: Path | None = None, **more: str) -> subprocess.CompletedProcess[str]:
        """Run `bareme ARGUMENTS` to its end."""
        return subprocess.run(
            self.line(*arguments),
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            cwd=cwd,
            env={**os.environ, "COLUMNS": "200", **more},
        )

    def cohort(self, slug: str) -> Path:
        """The demo cohort of one bundled assignment."""
        return bundled_course().assignment(slug).folder / "cohort"

    def expected(self, slug: str) -> dict[str, Any]:
        """expected.toml: student -> status, score and the outcome of each check."""
        return tomllib.loads((self.cohort(slug) / "expected.toml").read_text(encoding="utf-8"))

    def results(self, out: Path) -> dict[str, Any]:
        """results.json of one run."""
        return json.loads((out / "results.json").read_text(encoding="utf-8"))

    def comparable(self, out: Path) -> dict[str, Any]:
        """The same without what may differ between two runs: times and identities."""
        return comparable(self.results(out))

    def few(self, slug: str, students: list[str], where: Path) -> Path:
        """A copy of some students' folders of the demo cohort."""
        for student in students:
            shutil.copytree(self.cohort(slug) / student, where / student)
        return where


@pytest.fixture(scope="module")
def orphans() -> Iterator[Callable[[], list[str]]]:
    """The command lines of processes that outlived the command that started them: Linux hands them to us."""
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0

    before = set(psutil.Process().children(recursive=True))  # left to this process by other tests

    def living() -> list[str]:
        # those that are ending just now get a moment; what has ended waits for us to collect it
        _, alive = psutil.wait_procs(set(psutil.Process().children(recursive=True)) - before, timeout=ENDING_S)
        return [" ".join(child.cmdline()) for child in alive]

    yield living
    assert libc.prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0) == 0
    living()  # collects what has ended, so that later tests see no children but their own


@pytest.fixture(scope="session")
def bareme() -> Bareme:
    return Bareme()


@pytest.fixture(scope="session")
def seed() -> int:
    return SEED
