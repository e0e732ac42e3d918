"""Real kernels in the real sandbox, cold and warm: each test says what its notebook contains."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from harness.course import Limits, Policy
from harness.kernel.inside import KERNEL_PACKAGE
from harness.kernel.live import LiveNotebook
from harness.kernel.starts import Plan
from harness.kernel.warmth import warmth
from harness.records import Cell, Execution
from harness.sandbox.bubblewrap import Bubblewrap
from harness.sandbox.contract import Process, Program, Sandbox
from harness.sandbox.warm.outside import Warm
from harness.sandbox.warm.owner import ForkServer

HERE = Path(__file__).parent
NUMPY = Policy(packages=("numpy",))
PLENTY = Limits(cell_s=20, call_s=20, wall_s=120)  # time that no test uses up unless it is about time

Open = Callable[..., LiveNotebook]


def plan(
    *sources: str,
    limits: Limits = PLENTY,
    policy: Policy = NUMPY,
    seed: int = 7,
    files: dict[str, bytes] | None = None,
) -> Plan:
    """A notebook made of these cells."""
    cells = tuple(Cell(index, f"cell-{index}", source) for index, source in enumerate(sources))
    return Plan(cells, files or {}, limits, policy, "cpu", seed)


class ByPolicy:
    """A fork server for each policy that a test asks for, as a run has one for each assignment."""

    name = Warm.name
    guarantees = Warm.guarantees

    def __init__(self) -> None:
        """The servers last until they are closed."""
        self.servers: dict[Policy, ForkServer] = {}

    def check(self) -> None:
        """Each server is, when it is started."""

    def start(self, program: Program) -> Process:
        packages = tuple(name for name in program.packages if name != KERNEL_PACKAGE)
        server = self.server(Policy(packages, tuple(json.loads(program.arguments[0])["forbidden"])))
        return Warm(server.address, server.warmth).start(program)

    def server(self, policy: Policy) -> ForkServer:
        """The fork server for kernels under `policy`."""
        if policy not in self.servers:
            server = ForkServer(warmth(policy, "cpu"), secrets=())
            self.servers[policy] = server
            server.wait()
        return self.servers[policy]

    def close(self) -> None:
        """End the servers; whoever asks for one afterwards has it started anew."""
        while self.servers:
            self.servers.popitem()[1].close()


WARM = ByPolicy()


@pytest.hookimpl(trylast=True)  # first what the test itself has open
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> None:
    """After the last test of this folder no server is left to start programs on trial beside the tests of others."""
    if nextitem is None or HERE not in nextitem.path.parents:
        WARM.close()


@pytest.fixture(scope="session")
def cold() -> Bubblewrap:
    return Bubblewrap()


@pytest.fixture(scope="session")
def warm() -> ByPolicy:
    return WARM


@pytest.fixture(scope="session", params=["cold", "warm"])
def sandbox(request: pytest.FixtureRequest) -> Sandbox:
    """Both ways of starting a kernel: nothing that a notebook sees may tell them apart."""
    found: Sandbox = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="session")
def make_plan() -> Callable[..., Plan]:
    return plan


@pytest.fixture(scope="session")
def run_once(sandbox: Sandbox) -> Callable[..., Execution]:
    """Runs the cells of a notebook that nothing else is asked of."""

    def run(*sources: str, **options: object) -> Execution:
        with LiveNotebook(plan(*sources, **options), sandbox) as notebook:
            return notebook.run_cells()

    return run


@pytest.fixture
def opened(sandbox: Sandbox) -> Iterator[Open]:
    """Opens notebooks and closes them after the test."""
    with ExitStack() as closing:

        def open_notebook(*sources: str, **options: object) -> LiveNotebook:
            return closing.enter_context(LiveNotebook(plan(*sources, **options), sandbox))

        yield open_notebook
