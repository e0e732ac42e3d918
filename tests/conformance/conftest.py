"""Runs real programs in every sandbox. What a sandbox does not cover is asserted as not covered."""

import json
import os
import select
import sys
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from harness.course import Limits
from harness.sandbox import proc
from harness.sandbox.contract import Program
from harness.sandbox.process import SandboxProcess

sys.path.append(str(Path(__file__).parent / "shared"))  # tests have no packages
from sandboxes import sandbox

MIB = 2**20
PATIENCE_S = 60.0  # for a program that never answers, on a machine that does other things too
SMALL = Limits(memory_bytes=256 * MIB, disk_bytes=16 * MIB, processes=24, cpu_s=30.0)
# what programs say to the test, and how they say that they are ready
TELL = b"""
import json, os, sys

def tell(value):
    sys.stderr.write("\\n" + json.dumps(value) + "\\n")
    sys.stderr.flush()

def ready():
    os.write(int(os.environ["BAREME_READY_FD"]), b".")
"""


@dataclass
class Bench:
    """One sandbox, and programs in it that are ended with the test."""

    name: str
    started: list[SandboxProcess] = field(default_factory=list)

    def covers(self, guarantee: str) -> bool:
        return {each.name: each.covered for each in sandbox(self.name).guarantees}[guarantee]

    def start(self, code: str, *, arguments: tuple[str, ...] = (), files: Any = None, **given: Any) -> SandboxProcess:
        """Start `code`; `given`: packages, environment, whether `counted`, and limits other than the small ones."""
        packages, environment = given.pop("packages", ()), given.pop("environment", {})
        counted = given.pop("counted", False)
        source = "from tell import *\n" + textwrap.dedent(code)
        trusted = {"main.py": source.encode(), "tell.py": TELL}
        limits = replace(SMALL, **given)
        program = Program("main.py", arguments, trusted, files or {}, packages, limits, environment, counted=counted)
        process = sandbox(self.name, packages).start(program)
        self.started.append(process)
        return process

    def start_ready(self, code: str, **given: Any) -> SandboxProcess:
        process = self.start(code, **given)
        self.wait(process.ready_fd())
        assert os.read(process.ready_fd(), 1) == b".", process.last_words()
        return process

    def run(self, code: str, **given: Any) -> Any:
        """What the program told last, once it has ended."""
        process = self.ended(code, **given)
        return self.told(process)

    def ended(self, code: str, **given: Any) -> SandboxProcess:
        process = self.start(code, **given)
        self.wait(process.wait_fd())
        process.end()
        return process

    @staticmethod
    def told(process: SandboxProcess) -> Any:
        try:
            return json.loads(process.last_words().strip().splitlines()[-1])
        except (IndexError, json.JSONDecodeError):
            raise AssertionError(f"told nothing: {process.last_words()}, {process.exceeded()}") from None

    @staticmethod
    def wait(descriptor: int) -> None:
        assert select.select([descriptor], [], [], PATIENCE_S)[0], "no answer from the program"

    @staticmethod
    def eventually(holds: Callable[[], bool]) -> bool:
        """Whether something comes true that others bring about."""
        end = time.monotonic() + PATIENCE_S
        while not holds():
            if time.monotonic() > end:
                return False
            time.sleep(0.01)
        return True

    @staticmethod
    def alive(processes: Iterable[int]) -> list[int]:
        """Those that there still are."""
        return [pid for pid in processes if Path(f"/proc/{pid}").exists()]

    @staticmethod
    def tree(process: SandboxProcess) -> list[int]:
        """The numbers of all its processes."""
        return [pid for pid, _ in proc.walk(process.pid)]

    @staticmethod
    def marked(marker: str) -> list[int]:
        """Processes of this machine with `marker` on their command line."""
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                if marker.encode() in path.read_bytes():
                    found.append(int(path.parent.name))
            except (FileNotFoundError, ProcessLookupError):
                continue
        return [pid for pid in found if pid != os.getpid()]


@pytest.fixture(params=["bubblewrap", "warm", "plain"])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    yield from _bench(request.param)


@pytest.fixture(params=["bubblewrap", "warm"])
def bubblewrap(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """For what only bubblewrap promises, cold or warm; test_guarantees holds that plain does not promise it."""
    yield from _bench(request.param)


def _bench(name: str) -> Iterator[Bench]:
    bench = Bench(name)
    yield bench
    for process in bench.started:
        process.end()
