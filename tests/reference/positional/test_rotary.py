"""Rotary positions against Llama, RoFormer and complex numbers, and the properties that they are made for."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from transformers import LlamaConfig
from transformers.models.llama import modeling_llama
from transformers.models.roformer import modeling_roformer

from reference.positional import rotary

# angles below 1000 are rounded to 1000 · 2^-53 ≈ 1e-13 twice, here and there, times entries of up to 4
TOLERANCE = 1e-12
POSITIONS = [[0, 1, 2, 3], [5, 0, 999, 5], [0], []]


@pytest.fixture
def draw(generator) -> Callable[..., Tensor]:
    return lambda *shape: torch.randn(shape, generator=generator, dtype=torch.float64)


def llama(x: Tensor, positions: Tensor, base: float) -> Tensor:
    """Llama's own rotation of (B, H, T, d), its tables made on the spot."""
    b, h, t, d = x.shape
    rope = {"rope_type": "default", "rope_theta": base}
    config = LlamaConfig(hidden_size=h * d, num_attention_heads=h, rope_parameters=rope, max_position_embeddings=1000)
    cos, sin = modeling_llama.LlamaRotaryEmbedding(config)(x, positions.expand(b, t))
    return modeling_llama.apply_rotary_pos_emb(x, x, cos, sin)[0]


@pytest.mark.parametrize("positions", POSITIONS, ids=str)
@pytest.mark.parametrize("width", [2, 4, 10])
@pytest.mark.parametrize("base", [10000.0, 500000.0, 7.0, 1.0])
def test_rotary_is_llamas_in_float64(positions, width, base, draw, proof, monkeypatch) -> None:
    """Llama makes its tables in float32 whatever the model's dtype is: here, "float" means float64 to it."""
    monkeypatch.setattr(torch, "float", torch.float64)
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)
    x, where = draw(2, 3, len(positions), width), torch.tensor(positions, dtype=torch.int64)
    theirs = llama(x, where, base)
    proof(rotary, "transformers Llama").close(rotary(x, where, base=base), theirs, within=TOLERANCE)


@pytest.mark.parametrize("positions", POSITIONS, ids=str)
def test_rotary_is_llamas_as_it_comes(positions, draw) -> None:
    """Angles in float32, below 1000: rounded to 1000 · 2^-24 ≈ 6e-5, times entries of up to 4."""
    x, where = draw(2, 3, len(positions), 8), torch.tensor(positions, dtype=torch.int64)
    torch.testing.assert_close(rotary(x, where), llama(x, where, 10000.0), rtol=0, atol=3e-4)


@pytest.mark.parametrize("width", [2, 4, 10])
def test_adjacent_pairs_are_roformers(width, draw, proof, monkeypatch) -> None:
    monkeypatch.setattr(torch, "FloatTensor", torch.DoubleTensor)  # through which its table would be rounded
    table = modeling_roformer.RoFormerSinusoidalPositionalEmbedding(1000, width).double().create_weight()
    x = draw(2, 3, 1000, width)
    theirs, _ = modeling_roformer.RoFormerSelfAttention.apply_rotary_position_embeddings(table[None, None], x, x)
    ours = rotary(x, torch.arange(1000), adjacent=True)
    proof(rotary, "transformers RoFormer (adjacent pairs)").close(ours, theirs, within=TOLERANCE)


@pytest.mark.parametrize("adjacent", [False, True])
@pytest.mark.parametrize("positions", [[0, 1, 2], [-3, 999, 7]], ids=str)
def test_a_pair_is_a_complex_number_that_turns(adjacent, positions, draw, proof) -> None:
    x, base = draw(3, 6), 100.0
    pairs = [(2 * i, 2 * i + 1) if adjacent else (i, i + 3) for i in range(3)]
    expected = torch.empty_like(x)
    for t, p in enumerate(positions):
        for i, (u, w) in enumerate(pairs):
            angle = p * base ** (-2 * i / 6)
            turned = complex(x[t, u], x[t, w]) * complex(math.cos(angle), math.sin(angle))
            expected[t, u], expected[t, w] = turned.real, turned.imag
    ours = rotary(x, torch.tensor(positions), base=base, adjacent=adjacent)
    proof(rotary, "brute force").close(ours, expected, within=TOLERANCE)


@pytest.mark.parametrize("adjacent", [False, True])
def test_scores_depend_on_distance_alone(adjacent, draw) -> None:
    q, k = draw(1, 8), draw(1, 8)

    def score(m: int, n: int) -> float:
        turned = [rotary(x, torch.tensor([p]), adjacent=adjacent) for x, p in ((q, m), (k, n))]
        return (turned[0] * turned[1]).sum().item()

    assert score(5, 3) == pytest.approx(score(105, 103), abs=1e-12)
    assert score(5, 3) == pytest.approx(score(0, -2), abs=1e-12)
    assert score(5, 3) != pytest.approx(score(3, 5), abs=1e-3)


def test_lengths_stay_and_position_0_changes_nothing(draw) -> None:
    x = draw(2, 4, 6)
    turned = rotary(x, torch.tensor([0, 1, 10, 1000]))
    torch.testing.assert_close(turned.norm(dim=-1), x.norm(dim=-1), rtol=1e-14, atol=0)
    assert torch.equal(turned[:, 0], x[:, 0])


def test_the_two_pairings_differ_by_the_order_of_columns(draw) -> None:
    x, positions = draw(5, 6), torch.arange(5)
    halves = torch.cat([x[:, 0::2], x[:, 1::2]], dim=1)
    adjacent = rotary(x, positions, adjacent=True)
    assert torch.equal(rotary(halves, positions), torch.cat([adjacent[:, 0::2], adjacent[:, 1::2]], dim=1))


@pytest.mark.parametrize("adjacent", [False, True])
@pytest.mark.parametrize("shape", [(0, 4), (3, 0), (2, 0, 4), (0, 3, 4), (1, 2)], ids=str)
def test_empty_and_single_rows_keep_their_shape(adjacent, shape, draw) -> None:
    assert rotary(draw(*shape), torch.arange(shape[-2]), adjacent=adjacent).shape == shape


@pytest.mark.parametrize("adjacent", [False, True])
def test_gradients_equal_finite_differences(adjacent, draw) -> None:
    x = draw(2, 3, 4).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: rotary(x, torch.tensor([0, 1, 9]), adjacent=adjacent), x)


@pytest.mark.parametrize("width", [1, 3, 7])
@pytest.mark.parametrize("adjacent", [False, True])
def test_odd_widths_are_refused(width, adjacent, draw) -> None:
    with pytest.raises(ValueError, match=f"x: expected an even width d, got {width}"):
        rotary(draw(2, width), torch.arange(2), adjacent=adjacent)


@pytest.mark.parametrize("base", [0.0, -1.0, 0.99, math.inf, math.nan])
def test_the_base_is_a_number_that_slows_the_pairs_down(base, draw) -> None:
    with pytest.raises(ValueError, match=f"base: expected a finite number, 1 or more, got {base}"):
        rotary(draw(2, 4), torch.arange(2), base=base)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_entries_are_finite(bad, draw) -> None:
    x = draw(2, 4)
    x[1, 2] = bad
    with pytest.raises(ValueError, match=f"x: expected finite values, got {bad}"):
        rotary(x, torch.arange(2))


def test_each_row_has_one_position(draw) -> None:
    with pytest.raises(TypeError, match="positions"):
        rotary(draw(2, 3, 4), torch.arange(4))
    with pytest.raises(TypeError, match="positions"):
        rotary(draw(2, 3, 4), torch.arange(3.0))


@pytest.mark.gpu
def test_a_gpu_gives_the_same(draw) -> None:
    x, positions = draw(2, 50, 6), torch.arange(50)
    torch.testing.assert_close(rotary(x.cuda(), positions.cuda()).cpu(), rotary(x, positions), rtol=0, atol=TOLERANCE)


def test_a_base_beyond_float64_is_refused(draw) -> None:
    with pytest.raises(ValueError, match="base: expected a finite number, 1 or more, got 10"):
        rotary(draw(3, 4), torch.arange(3), base=10**400)
