"""Notebooks in real kernels, as a check of an assignment would hold them: one of a student, one of the solution."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pynvml
import pytest

from harness.checks.proxy import NULL_CALLS, Conversation, Submission
from harness.course import Limits, Policy
from harness.kernel.live import LiveNotebook
from harness.kernel.starts import Plan
from harness.records import Cell
from harness.sandbox.bubblewrap import Bubblewrap

PLENTY = Limits(wall_s=600.0, cpu_s=600.0, call_s=60.0)  # of time: what is measured here is never a limit

Open = Callable[..., Submission]


@pytest.fixture
def live() -> Iterator[Open]:
    """Opens the notebook that these cells make: `live("def f(x): return x").f(3)`."""
    with ExitStack() as closing:

        def open_notebook(
            *sources: str, packages: tuple[str, ...] = ("numpy",), files: dict[str, bytes] | None = None
        ) -> Submission:
            cells = tuple(Cell(index, f"cell-{index}", source) for index, source in enumerate(sources))
            plan = Plan(cells, files or {}, PLENTY, Policy(packages=packages), "cpu", seed=7, timed=True)
            notebook = closing.enter_context(LiveNotebook(plan, Bubblewrap()))
            notebook.run_cells()
            return Submission(Conversation(notebook))

        yield open_notebook


@pytest.fixture
def baseline(live: Open) -> Open:
    """The same for the solution's notebook, where null calls can be made."""
    return lambda *sources, **options: live(*sources, NULL_CALLS, **options)


class FakeNvml:
    """What `pynvml` does, with a GPU made of the figures given; the errors are its own classes."""

    NVMLError = pynvml.NVMLError
    NVML_CLOCK_SM, NVML_CLOCK_MEM = pynvml.NVML_CLOCK_SM, pynvml.NVML_CLOCK_MEM

    def __init__(self, **answers: object) -> None:
        """`answers`: function without "nvml" -> value, list of values one a call, or an error to raise."""
        self.users = 0
        self.answers = {"DeviceGetName": "NVIDIA Test 9000", **answers}

    def nvmlInit(self) -> None:
        self._answer("Init", None)
        self.users += 1

    def nvmlShutdown(self) -> None:
        self.users -= 1

    def nvmlDeviceGetHandleByIndex(self, index: int) -> str:
        return self._answer("DeviceGetHandleByIndex", f"gpu {index}")

    def __getattr__(self, name: str) -> Callable[..., object]:
        assert hasattr(pynvml, name), f"pynvml has no {name}"
        return lambda *args: self._answer(name.removeprefix("nvml"), pynvml.NVMLError(3), *args)  # 3: not supported

    def _answer(self, name: str, otherwise: object, *args: object) -> object:
        found = self.answers.get(name, otherwise)
        if isinstance(found, list):
            found = found.pop(0)
        if callable(found):
            found = found(*args)
        if isinstance(found, Exception):
            raise found
        return found


@pytest.fixture
def fake_nvml() -> type[FakeNvml]:
    return FakeNvml
