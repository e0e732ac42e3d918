"""The command as people run it: a process of its own, its output captured, its exit code looked at."""

import ctypes
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.cli import bundled_course
from harness.gradebook.results import comparable

ROOT = Path(__file__).parents[2]
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
    with adopting() as living:
        yield living


@contextmanager
def adopting() -> Iterator[Callable[[], list[str]]]:
    """See `orphans`."""
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


@dataclass(frozen=True)
class Demo:
    """One `bareme demo` of a copy that is installed elsewhere, and what the machine looked like around it."""

    out: Path
    done: subprocess.CompletedProcess[str]
    new_processes: list[str]
    new_files: list[str]


@pytest.fixture(scope="session")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment that holds the wheel; what the wheel requires is lent by the environment of the tests."""
    place = tmp_path_factory.mktemp("elsewhere")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", place, ROOT]
    subprocess.run([*pip, *map(str, build)], check=True, cwd=place)
    venv.create(place / "venv")
    python = place / "venv" / "bin" / "python"
    [wheel] = place.glob("*.whl")
    subprocess.run([*pip, "--python", python, "install", "--no-deps", "--no-index", wheel], check=True, cwd=place)
    # a line of a .pth file is a path and no more: other .pth files there, such as the source tree's, are not read
    site = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
    (place / "venv" / site / "lent.pth").write_text(f"{sysconfig.get_path('purelib')}\n", encoding="utf-8")
    return place


@pytest.fixture(scope="session")
def demo(elsewhere: Path, tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """All cohorts, marked in a home, a temporary and a working folder of their own: what is left there is its."""
    place = tmp_path_factory.mktemp("demo")
    for name in ("home", "tmp", "cwd"):
        (place / name).mkdir()
    environment = {"HOME": str(place / "home"), "TMPDIR": str(place / "tmp"), "COLUMNS": "200"}
    with adopting() as living:
        done = subprocess.run(
            [elsewhere / "venv" / "bin" / "bareme", "demo", "--out", place / "out"],
            capture_output=True, text=True, timeout=LIMIT_S, cwd=place / "cwd", env={**os.environ, **environment},
        )  # fmt: skip
        left = living()
    files = [str(path) for name in ("home", "tmp", "cwd") for path in (place / name).rglob("*")]
    return Demo(place / "out", done, left, files)


@pytest.fixture(scope="session")
def bareme() -> Bareme:
    return Bareme()


@pytest.fixture(scope="session")
def seed() -> int:
    return SEED
