"""Cross-entropy against torch's own, its gradient included, and the rules at the edges."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from reference.training import IGNORED, cross_entropy

# float64: rounding of a sum of V = 50 exponentials and of a mean of 60 losses of size about 5: 60 · 2^-53 ≈ 7e-15
TOLERANCE = 1e-13


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def targets(*shape: int, n_tokens: int, share_ignored: float = 0.3) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    drawn = torch.randint(n_tokens, shape, generator=generator)
    return drawn.masked_fill(torch.rand(shape, generator=generator) < share_ignored, IGNORED)


@pytest.mark.parametrize("shape", [(), (1,), (7,), (3, 20), (2, 3, 5)])
@pytest.mark.parametrize("n_tokens", [1, 2, 50])
@pytest.mark.parametrize("scale", [1.0, 100.0, 1e300])
def test_loss_equals_torch(proof, shape: tuple[int, ...], n_tokens: int, scale: float) -> None:
    logits = scale * normal(*shape, n_tokens)
    wanted = targets(*shape, n_tokens=n_tokens)
    wanted.view(-1)[:1] = n_tokens - 1  # at least one counts
    theirs = functional.cross_entropy(logits.reshape(-1, n_tokens), wanted.reshape(-1))
    proof(cross_entropy, "torch.nn.functional.cross_entropy").close(
        cross_entropy(logits, wanted), theirs, within=TOLERANCE
    )


@pytest.mark.parametrize("ignored", [IGNORED, 0, 3])
def test_gradient_equals_torch(proof, ignored: int) -> None:
    wanted = targets(4, 6, n_tokens=9).masked_fill_(torch.eye(4, 6).bool(), ignored)
    wanted[wanted == IGNORED] = ignored
    ours, theirs = normal(4, 6, 9).requires_grad_(), normal(4, 6, 9).requires_grad_()
    cross_entropy(ours, wanted, ignored).backward()
    functional.cross_entropy(theirs.reshape(-1, 9), wanted.reshape(-1), ignore_index=ignored).backward()
    proof(cross_entropy, "torch autograd").close(ours.grad, theirs.grad, within=TOLERANCE)


def test_gradient_equals_finite_differences() -> None:
    wanted = torch.tensor([2, IGNORED, 0])
    assert torch.autograd.gradcheck(lambda logits: cross_entropy(logits, wanted), normal(3, 4).requires_grad_())


def test_gradient_is_finite_where_logits_are_minus_infinity() -> None:
    logits = torch.tensor([[0.0, -math.inf, 0.0], [-math.inf] * 3], dtype=torch.float64).requires_grad_()
    cross_entropy(logits, torch.tensor([0, IGNORED])).backward()
    assert logits.grad is not None
    assert logits.grad.tolist() == [[-0.5, 0.0, 0.5], [0.0, 0.0, 0.0]]


@pytest.mark.parametrize(
    ("row", "target", "expected"),
    [
        ([0.0, 0.0], 0, math.log(2)),
        ([0.0], 0, 0.0),
        ([1e308, -1e308], 0, 0.0),
        ([1e308, -1e308], 1, math.inf),  # 2e308 is beyond float64
        ([1e308, 1e308], 1, math.log(2)),
        ([-1e308, -1e308], 1, math.log(2)),
        ([700.0, -700.0], 1, 1400.0),
        ([-math.inf, 3.0], 1, 0.0),
        ([-math.inf, 3.0], 0, math.inf),
        ([-math.inf, 3.0, 3.0], 1, math.log(2)),
    ],
)
def test_extreme_logits(row: list[float], target: int, expected: float) -> None:
    assert cross_entropy(torch.tensor(row, dtype=torch.float64), torch.tensor(target)).item() == expected


def test_mean_is_over_counted_tokens_only() -> None:
    logits = normal(5, 4)
    wanted = torch.tensor([1, IGNORED, 2, IGNORED, IGNORED])
    single = [cross_entropy(logits[i], wanted[i]).item() for i in (0, 2)]
    assert cross_entropy(logits, wanted).item() == pytest.approx(sum(single) / 2, abs=TOLERANCE)


def test_logits_of_ignored_positions_do_not_matter() -> None:
    logits = normal(3, 4)
    wanted = torch.tensor([1, IGNORED, 2])
    before = cross_entropy(logits, wanted)
    logits[1] = -math.inf
    assert torch.equal(cross_entropy(logits, wanted), before)


@pytest.mark.parametrize("shape", [(3,), (0,), (2, 0)])
def test_nothing_counted_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="targets: expected at least one that counts, got none"):
        cross_entropy(normal(*shape, 4), torch.full(shape, IGNORED))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("row", [0, 1])
def test_logits_that_are_none_are_refused(bad: float, row: int) -> None:
    logits = normal(2, 3)
    logits[row, 1] = bad
    with pytest.raises(ValueError, match=f"logits: expected finite values or -inf, got {bad}"):
        cross_entropy(logits, torch.tensor([0, IGNORED]))


def test_a_counted_row_without_a_possible_token_is_refused() -> None:
    with pytest.raises(ValueError, match="at every counted position, got only -inf"):
        cross_entropy(torch.full((1, 3), -math.inf, dtype=torch.float64), torch.tensor([0]))


@pytest.mark.parametrize("bad", [-1, 4, 99])
def test_unknown_targets_are_refused(bad: int) -> None:
    with pytest.raises(ValueError, match=f"targets: expected token ids from 0 to 3, got {bad}"):
        cross_entropy(normal(2, 4), torch.tensor([0, bad]))


def test_an_empty_vocabulary_is_refused() -> None:
    with pytest.raises(ValueError, match="vocabulary of 1 or more"):
        cross_entropy(normal(2, 0), torch.tensor([0, 0]))


@pytest.mark.parametrize(
    ("logits", "wanted"),
    [
        (torch.zeros(2, 3), torch.zeros(2, dtype=torch.int64)),
        (torch.zeros(2, 3, dtype=torch.float64), torch.zeros(3, dtype=torch.int64)),
        (torch.zeros(2, 3, dtype=torch.float64), torch.zeros(2, dtype=torch.int32)),
    ],
)
def test_wrong_types_and_shapes_are_refused(logits: Tensor, wanted: Tensor) -> None:
    with pytest.raises(TypeError):
        cross_entropy(logits, wanted)


@pytest.mark.gpu
def test_gpu_gives_the_same_loss() -> None:
    logits, wanted = normal(3, 20, 50), targets(3, 20, n_tokens=50)
    there = cross_entropy(logits.cuda(), wanted.cuda())
    assert there.is_cuda
    torch.testing.assert_close(there.cpu(), cross_entropy(logits, wanted), rtol=TOLERANCE, atol=TOLERANCE)


def test_the_mean_exists_where_the_sum_is_beyond_float64() -> None:
    logits = torch.tensor([[0.0, -1.5e308]] * 2, dtype=torch.float64, requires_grad=True)
    loss = cross_entropy(logits, torch.tensor([1, 1]))
    loss.backward()
    assert loss.item() == 1.5e308
    assert logits.grad.tolist() == [[0.5, -0.5]] * 2
