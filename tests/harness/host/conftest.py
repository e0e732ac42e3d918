"""A student at a machine of their own: a folder for sockets, a small course, the real command and its real host."""

import ctypes
import os
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import nbformat
import psutil
import pytest

from harness.host import client

PATIENCE_S = 60.0  # a busy machine takes its time; waiting ends as soon as what is waited for is there
PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
# The command, and afterwards whether this process had to import what marking or a run takes
COMMAND = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job's children ignore it
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # and this, after nohup
from harness.__main__ import main
try:
    main()
finally:
    with open(os.environ["TEST_IMPORTED"], "w") as told:
        told.write(str(not sys.modules.keys().isdisjoint({"harness.pipeline", "harness.cohort"})))
"""
COURSE = """
slug = "toys"
title = { fr = "Jouets", en = "Toys" }
"""
ASSIGNMENT = """
slug = "{slug}"
oracle = "{slug}_oracle"
points = 2
title = {{ fr = "Doubler", en = "Doubling" }}
description = {{ fr = "Doubler un nombre.", en = "Double a number." }}
[limits]
wall_s = 90.0
cell_s = 80.0
[policy]
packages = []
forbidden = ["{slug}_forbidden"]
[[entry_points]]
name = "double"
signature = "double(x)"
takes = {{ fr = "un nombre", en = "a number" }}
returns = {{ fr = "son double", en = "its double" }}
"""
CHECKS = """
from harness.checks import check

@check(points=1, fr="Le double de trois", en="Three doubled")
def test_three(submission, oracle, compare):
    compare(submission.double(3), oracle.double(3), exact=True)

@check(points=1, fr="Le double de cinq", en="Five doubled", needs=["three"])
def test_five(submission, oracle, compare):
    compare(submission.double(5), oracle.double(5), exact=True)
"""
ORACLE = "def double(x): return 2 * x\n"


@dataclass(frozen=True)
class Checked:
    """What one `bareme check` did."""

    out: str
    err: str
    code: int
    by_host: bool


@dataclass(frozen=True)
class Student:
    """Gives commands, in a place of their own."""

    RIGHT: ClassVar = "def double(x):\n    return 2 * x"
    WRONG: ClassVar = "def double(x):\n    return x"
    FOREVER: ClassVar = "import time\nwhile True:\n    time.sleep(1)"

    folder: Path
    environment: dict[str, str]

    def notebook(self, *sources: str, name: str = "toy") -> Path:
        """A notebook of the cells given."""
        path = self.work / f"{name}.ipynb"
        cells = [nbformat.v4.new_code_cell(textwrap.dedent(source)) for source in sources]
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), path)
        return path

    @property
    def work(self) -> Path:
        """Where the notebooks lie and commands are given."""
        return self.folder / "work"

    @property
    def course(self) -> Path:
        """The folder of the course."""
        return self.folder / "course"

    def line(self, notebook: Path | str, *options: str) -> list[str]:
        """The command that checks `notebook`."""
        return [
            sys.executable, "-P", "-c", COMMAND, "check", str(notebook), "--course", str(self.course), "--lang", "en",
            *options,
        ]  # fmt: skip

    def begin(self, notebook: Path | str, *options: str, **environment: str) -> subprocess.Popen[str]:
        """Start checking."""
        return subprocess.Popen(
            self.line(notebook, *options),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.work,
            env={**self.environment, "TEST_IMPORTED": str(self.folder / "imported"), **environment},
        )

    def check(self, notebook: Path | str, *options: str, **environment: str) -> Checked:
        """Check to the end."""
        command = self.begin(notebook, *options, **environment)
        out, err = command.communicate(timeout=3 * PATIENCE_S)
        imported = (self.folder / "imported").read_text(encoding="utf-8")
        return Checked(out, err, command.returncode, by_host=imported == "False")

    def start_host(self, **hints: Any) -> int:
        """A host that is ready; its process."""
        client.start({"modules": [], "wanted": None, **hints}, self.environment)
        return self.host()

    def host(self) -> int:
        """The process of the host, once there is one."""
        facts = wait_for(client.status)
        return facts.pid


def wait_for(condition: Callable[[], Any]) -> Any:
    """What `condition` returns, as soon as that is something."""
    until = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)
    return found


def no_host_is_left() -> bool:
    """Whether the last one has been told to end; one that was being started beside it may take its place."""
    client.stop()
    return not hosts()


def hosts() -> list[int]:
    """Processes under this one that are hosts or are about to be."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            if client.MODULE in process.cmdline():
                found.append(process.pid)
    return found


def descendants(pid: int) -> list[psutil.Process]:
    """Everything below process `pid`."""
    return psutil.Process(pid).children(recursive=True)


def staying(pid: int) -> list[psutil.Process]:
    """Host `pid` and what holds its fork servers; below those, programs on trial come and go."""
    host = psutil.Process(pid)
    keepers = [child for child in host.children() if any(map(_is_bubblewrap, child.children()))]
    return [host, *keepers, *(holder for keeper in keepers for holder in keeper.children())]


def _is_bubblewrap(process: psutil.Process) -> bool:
    try:
        return "bwrap" in process.name()
    except psutil.NoSuchProcess:  # it has just ended
        return False


def write_course(folder: Path, *slugs: str) -> None:
    """A course of the assignments `slugs`, each with an oracle beside it."""
    folder.mkdir()
    (folder / "course.toml").write_text(COURSE, encoding="utf-8")
    for slug in slugs:
        (folder / slug).mkdir()
        (folder / slug / "assignment.toml").write_text(ASSIGNMENT.format(slug=slug), encoding="utf-8")
        (folder / slug / "checks.py").write_text(CHECKS, encoding="utf-8")
        (folder / f"{slug}_oracle.py").write_text(ORACLE, encoding="utf-8")


@pytest.fixture
def adopted() -> Iterator[None]:
    """What leaves its parent comes to this process, so that nothing can stay behind unseen."""
    libc = ctypes.CDLL(None, use_errno=True)
    before = set(psutil.Process().children(recursive=True))
    assert libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
    yield
    left = set(psutil.Process().children(recursive=True)) - before
    _, alive = psutil.wait_procs(left, timeout=PATIENCE_S)
    assert libc.prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0) == 0
    for process in alive:
        process.kill()
    psutil.wait_procs(alive)
    assert [process.pid for process in alive] == []


@pytest.fixture
def student(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, adopted: None) -> Iterator[Student]:
    """A student without a host; the one that there is at the end is ended, and leaves nothing."""
    for name in ("run", "home", "work"):
        (tmp_path / name).mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    for name in ("CI", "BAREME_HOST"):
        monkeypatch.delenv(name, raising=False)
    temporary = Path(tempfile.mkdtemp(prefix="b-"))  # its path is short enough for the plain sandbox's sockets
    places = {"HOME": str(tmp_path / "home"), "TMPDIR": str(temporary)}
    write_course(tmp_path / "course", "toy")
    made = Student(tmp_path, {**os.environ, **places, "COLUMNS": "100"})
    yield made
    wait_for(no_host_is_left)
    wait_for(lambda: not list(temporary.iterdir()))
    temporary.rmdir()


@pytest.fixture
def wait() -> Callable[[Callable[[], Any]], Any]:
    return wait_for


@pytest.fixture
def kept() -> Callable[[int], list[psutil.Process]]:
    return staying


@pytest.fixture
def below() -> Callable[[int], list[psutil.Process]]:
    return descendants
