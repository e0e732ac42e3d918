"""Real kernels in the real sandbox: each test says what its notebook contains."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from harness.course import Limits, Policy
from harness.kernel import LiveNotebook, Plan
from harness.records import Cell, Execution
from harness.sandbox.bubblewrap import Bubblewrap

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


@pytest.fixture(scope="session")
def sandbox() -> Bubblewrap:
    return Bubblewrap()


@pytest.fixture(scope="session")
def make_plan() -> Callable[..., Plan]:
    return plan


@pytest.fixture(scope="session")
def run_once(sandbox: Bubblewrap) -> Callable[..., Execution]:
    """Runs the cells of a notebook that nothing else is asked of."""

    def run(*sources: str, **options: object) -> Execution:
        with LiveNotebook(plan(*sources, **options), sandbox) as notebook:
            return notebook.run_cells()

    return run


@pytest.fixture
def opened(sandbox: Bubblewrap) -> Iterator[Open]:
    """Opens notebooks and closes them after the test."""
    with ExitStack() as closing:

        def open_notebook(*sources: str, **options: object) -> LiveNotebook:
            return closing.enter_context(LiveNotebook(plan(*sources, **options), sandbox))

        yield open_notebook
