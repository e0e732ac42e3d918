"""Matrices that stay in the kernel: what is promised of them, and what can be asked for afterwards."""

import hashlib

import numpy as np
import pytest
from scipy.special import logsumexp

from harness.course import Policy
from harness.kernel import Call, Handle
from harness.records import Outcome

SOURCES = (
    "import numpy as np",
    "def matrix(dtype, t=5, v=7):\n    return np.random.default_rng(t).normal(size=(t, v)).astype(dtype)",
    "def columns_first(): return np.asfortranarray(matrix('<f8'))",
    "shared = matrix('<f4')\ndef lend(): return shared\ndef spoil(): shared[:] = 9",
    "def scores(): return matrix('<f8').tolist()\ndef whole(): return matrix('<f8').round().astype(int)",
    "def cube(): return np.zeros((2, 3, 4))\ndef row(): return np.zeros(3)\ndef none(): return None",
    "class Matrix(np.ndarray): pass\ndef subclass(): return matrix('<f8').view(Matrix)",
    "def unbound(): return np.full((2, 3), np.inf)",
    "def wide(): return np.zeros((40, 500_000), dtype='<f4')",
    "def fail(): raise ValueError('no')",
)


@pytest.fixture(scope="module")
def notebook(sandbox, make_plan):
    from harness.kernel.live import LiveNotebook

    with LiveNotebook(make_plan(*SOURCES), sandbox) as live:
        assert all(cell.outcome is Outcome.PASSED for cell in live.run_cells().cells)
        yield live


def committed(notebook, name, *args):
    [answer] = notebook.call([Call(name, args, commit=True)])
    assert answer.outcome is Outcome.PASSED, answer.error
    return answer.value


def ask(notebook, handle, name, *args):
    [answer] = notebook.call([Call(name, args, target=handle)])
    assert answer.outcome is Outcome.PASSED, answer.error
    return answer.value


def digests(matrix):
    """As docs/kernel.md defines them."""
    header = f"{matrix.dtype.str} {len(matrix)} {matrix.shape[1]}"
    return b"".join(hashlib.sha256(f"{header} {i}\n".encode() + row.tobytes()).digest() for i, row in enumerate(matrix))


def expected(dtype, t=5, v=7):
    return np.random.default_rng(t).normal(size=(t, v)).astype(dtype)


@pytest.mark.parametrize("dtype", ["<f2", "<f4", "<f8"])
def test_a_matrix_is_promised_and_can_be_asked_for(notebook, dtype):
    handle, said_dtype, shape, said = committed(notebook, "matrix", dtype)
    matrix = expected(dtype)
    assert (type(handle), said_dtype, shape) == (Handle, dtype, (5, 7))
    assert said == digests(matrix)
    targets = np.array([6, 0, 3, 3, 1])
    numbers, sums = ask(notebook, handle, "gather", targets)
    assert numbers.dtype == sums.dtype == np.float64
    assert np.array_equal(numbers, matrix[np.arange(5), targets].astype(float))
    assert sums == pytest.approx(logsumexp(matrix.astype(float), axis=1), rel=1e-14)
    rows = ask(notebook, handle, "take", [4, 1])
    assert (rows.dtype.str, rows.tobytes()) == (dtype, matrix[[4, 1]].tobytes())


def test_the_order_of_bytes_and_of_memory_is_settled(notebook):
    _, dtype, _, said = committed(notebook, "matrix", ">f4")
    assert (dtype, said) == ("<f4", digests(expected("<f4")))
    assert committed(notebook, "columns_first")[3] == digests(expected("<f8"))


def test_what_is_promised_does_not_change_with_the_notebooks_own_array(notebook):
    handle, _, _, said = committed(notebook, "lend")
    notebook.call([Call("spoil")])
    assert digests(ask(notebook, handle, "take", list(range(5)))) == said


def test_a_matrix_too_large_to_cross_stays(notebook):
    """80 MB: refused as an answer, promised, and read row by row."""
    [answer] = notebook.call([Call("wide")])
    assert (answer.outcome, answer.error.name) == (Outcome.FAILED, "WireError")
    handle, _, shape, said = committed(notebook, "wide")
    assert (shape, len(said)) == ((40, 500_000), 40 * 32)
    assert ask(notebook, handle, "take", [3]).shape == (1, 500_000)
    [answer] = notebook.call([Call("take", (list(range(40)),), target=handle)])
    assert answer.outcome is Outcome.FAILED
    ask(notebook, handle, "release")
    [answer] = notebook.call([Call("take", ([3],), target=handle)])
    assert answer.outcome is Outcome.ERROR


def test_infinities_are_for_the_grader_to_see(notebook):
    handle, *_ = committed(notebook, "unbound")
    numbers, sums = ask(notebook, handle, "gather", [0, 1])
    assert np.isinf(numbers).all()
    assert np.isnan(sums).all()


def test_anything_else_comes_as_it_is(notebook):
    assert committed(notebook, "scores") == expected("<f8").tolist()
    assert committed(notebook, "whole").dtype == np.int64
    assert committed(notebook, "cube").shape == (2, 3, 4)
    assert committed(notebook, "row").shape == (3,)
    assert committed(notebook, "none") is None
    assert committed(notebook, "subclass").type_name == "Matrix"


def test_a_call_that_fails_promises_nothing(notebook):
    [answer] = notebook.call([Call("fail", commit=True)])
    assert (answer.outcome, answer.error.message) == (Outcome.ERROR, "no")


def test_a_promise_ends_with_its_kernel(opened):
    notebook = opened(*SOURCES[:2], "import os\ndef die(): os._exit(1)")
    notebook.run_cells()
    handle, *_ = committed(notebook, "matrix", "<f8")
    notebook.call([Call("die")])
    [answer] = notebook.call([Call("take", ([0],), target=handle)])
    assert answer.outcome is Outcome.CRASHED


@pytest.mark.slow
def test_tensors_are_promised_too(opened):
    import torch

    made = "torch.arange(6.0).reshape(2, 3)"
    notebook = opened(
        "import torch",
        f"def half(): return {made}.to(torch.bfloat16)\ndef grown(): return torch.nn.Parameter({made}) * 2\n"
        f"def parameter(): return torch.nn.Parameter({made}.T)\ndef whole(): return {made}.long()\n"
        f"def eighth(): return {made}.to(torch.float8_e4m3fn)\ndef cube(): return {made}[None]",
        policy=Policy(packages=("torch", "numpy")),
    )
    notebook.run_cells()
    plain = np.arange(6, dtype="<f4").reshape(2, 3)
    for name, matrix in {"half": plain, "grown": 2 * plain, "parameter": plain.T.copy(), "eighth": plain}.items():
        _, dtype, shape, said = committed(notebook, name)
        assert (dtype, shape, said) == ("<f4", matrix.shape, digests(matrix)), name
    assert torch.equal(committed(notebook, "whole"), torch.arange(6).reshape(2, 3))
    assert committed(notebook, "cube").shape == (1, 2, 3)
