"""For all tests: those that need a GPU say so; proofs of the oracle are gathered into the file that is asked for.

How tests wait for processes to end is here too.
"""

import json
import os
import select
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from harness.doctor import gpu

os.environ["BAREME_HOST"] = "0"  # no command is to leave a process in the background; tests of that one ask for it


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--proofs", type=Path, metavar="FILE", help="write what the oracle's proofs measured, as JSON")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if marked and gpu() is None:
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="needs a GPU: nvidia-smi finds none"))


PATIENCE_S = 60.0  # a busy machine takes its time; waiting ends as soon as what is waited for is there


def wait_for_end_of(*processes: psutil.Process | int) -> None:
    """Return when none of the processes runs any more; one that only waits to be collected does not."""
    for process in processes:
        pid = process if isinstance(process, int) else process.pid
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            if not isinstance(process, int) and not process.is_running():
                continue  # its number is another's by now
            assert select.select([descriptor], [], [], PATIENCE_S)[0], f"process {pid} still runs"
        finally:
            os.close(descriptor)


@pytest.fixture(scope="session")
def gone() -> Callable[..., None]:
    return wait_for_end_of


class Gather:
    """Keeps the proofs of passed tests, wherever they ran, and writes them when all is over."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.proofs: list[object] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and report.passed:
            self.proofs += [value for name, value in report.user_properties if name == "proof"]

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if not hasattr(session.config, "workerinput"):  # a worker of xdist hands its reports over instead
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text(json.dumps(self.proofs, indent=0) + "\n")


def pytest_configure(config: pytest.Config) -> None:
    if path := config.getoption("--proofs"):
        config.pluginmanager.register(Gather(path))
