"""On a machine with a GPU, tensors sent to a notebook land there, and answers come back as they do from a CPU."""

import pytest

from harness.course import Limits, Policy
from harness.kernel import Call
from harness.kernel.live import LiveNotebook
from harness.kernel.starts import Plan
from harness.records import Cell, Outcome
from harness.sandbox import choose

torch = pytest.importorskip("torch")
pytestmark = [pytest.mark.gpu, pytest.mark.slow]
SOURCE = "def where(x): return str(x.device)\ndef double(x): return 2 * x"
LIMITS = Limits(cell_s=120, call_s=120, wall_s=600, memory_bytes=32 * 2**30)


@pytest.fixture(scope="module")
def notebook():
    plan = Plan((Cell(0, "a", SOURCE),), {}, LIMITS, Policy(packages=("numpy", "torch")), "cuda", 7)
    with LiveNotebook(plan, choose("bubblewrap")) as live:
        live.run_cells()
        yield live


def test_tensors_land_on_the_gpu(notebook):
    [answer] = notebook.call([Call("where", (torch.zeros(3),))])
    assert (answer.outcome, answer.value) == (Outcome.PASSED, "cuda:0")


def test_answers_come_back_to_the_cpu(notebook):
    sent = torch.arange(6, dtype=torch.float64).reshape(2, 3)
    [answer] = notebook.call([Call("double", (sent,))])
    assert answer.value.device.type == "cpu"
    assert torch.equal(answer.value, 2 * sent)


def test_a_matrix_on_the_gpu_is_promised_as_its_copy(notebook):
    sent = torch.arange(6, dtype=torch.bfloat16).reshape(2, 3)
    [answer] = notebook.call([Call("double", (sent,), commit=True)])
    handle, dtype, shape, digests = answer.value
    assert (dtype, shape, len(digests)) == ("<f4", (2, 3), 2 * 32)
    [taken] = notebook.call([Call("take", ([0, 1],), target=handle)])
    assert taken.value.tolist() == [[0, 2, 4], [6, 8, 10]]
