"""The sinusoidal table against the formula by hand and two models of transformers, run in float64."""

import math

import numpy as np
import pytest
import torch
from transformers.models.marian.modeling_marian import MarianSinusoidalPositionalEmbedding
from transformers.models.xlm.modeling_xlm import create_sinusoidal_embeddings

from reference.positional import sinusoidal

# an angle below 1000 is rounded to 1000 · 2^-53 ≈ 1e-13 and so is its sine; the power before it adds as much again
TOLERANCE = 1e-12


@pytest.fixture
def _double(monkeypatch):
    """transformers computes these tables in float64, then rounds them through `torch.FloatTensor`: do not."""
    monkeypatch.setattr(torch, "FloatTensor", torch.DoubleTensor)


def by_hand(n_positions: int, width: int) -> np.ndarray:
    rows = [
        [(math.cos if c % 2 else math.sin)(p / math.pow(10000, 2 * (c // 2) / width)) for c in range(width)]
        for p in range(n_positions)
    ]
    return np.array(rows).reshape(n_positions, width)


@pytest.mark.parametrize("n_positions", [0, 1, 2, 1000])
@pytest.mark.parametrize("width", [0, 1, 2, 3, 8, 33])
def test_sinusoidal_is_the_formula(n_positions, width, proof) -> None:
    ours = sinusoidal(n_positions, width)
    assert ours.dtype == torch.float64
    proof(sinusoidal, "brute force").close(ours, by_hand(n_positions, width), within=TOLERANCE)


@pytest.mark.parametrize("width", [2, 7, 16])
@pytest.mark.usefixtures("_double")
def test_sinusoidal_is_the_table_of_xlm(width, proof) -> None:
    theirs = create_sinusoidal_embeddings(1000, width, torch.empty(1000, width, dtype=torch.float64))
    proof(sinusoidal, "transformers XLM").close(sinusoidal(1000, width), theirs, within=TOLERANCE)


@pytest.mark.parametrize("width", [2, 7, 16])
@pytest.mark.usefixtures("_double")
def test_sines_then_cosines_are_the_table_of_marian(width, proof) -> None:
    theirs = MarianSinusoidalPositionalEmbedding(1000, width).double().create_weight()
    ours = sinusoidal(1000, width)
    halves = torch.cat([ours[:, 0::2], ours[:, 1::2]], dim=1)
    proof(sinusoidal, "transformers Marian, columns reordered").close(halves, theirs, within=TOLERANCE)


def test_a_step_forward_is_the_same_rotation_everywhere() -> None:
    """What the paper chose the table for: row p + k is a linear function of row p."""
    table = sinusoidal(50, 2)
    cos, sin = math.cos(7), math.sin(7)
    turn = torch.tensor([[cos, -sin], [sin, cos]], dtype=torch.float64)  # applied to (sin, cos) from the right
    torch.testing.assert_close(table[:43] @ turn, table[7:], rtol=0, atol=1e-14)


def test_long_tables_stay_between_minus_one_and_one() -> None:
    table = sinusoidal(100_000, 4)
    assert table.abs().max() <= 1
    assert table[-1, 0].item() == math.sin(99_999)


@pytest.mark.parametrize(("n_positions", "width", "name"), [(-1, 2, "n_positions"), (2, -1, "width")])
def test_sizes_are_not_negative(n_positions, width, name) -> None:
    with pytest.raises(ValueError, match=f"{name}: expected 0 or more, got -1"):
        sinusoidal(n_positions, width)


def test_the_table_is_made_where_it_is_wanted() -> None:
    assert sinusoidal(2, 2, device="meta").device.type == "meta"


@pytest.mark.gpu
def test_a_gpu_gives_the_same() -> None:
    torch.testing.assert_close(sinusoidal(100, 6, device="cuda").cpu(), sinusoidal(100, 6), rtol=0, atol=TOLERANCE)
