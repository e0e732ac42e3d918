"""Log-probabilities and entropies against trl, torch and loops; masks, padding and tokens that never come."""

import math

import pytest
import torch
from torch.distributions import Categorical
from trl.trainer.utils import entropy_from_logits, selective_log_softmax

from reference.alignment import entropies, sequence_logprobs, token_logprobs

SIZES = [(1, 1, 1), (1, 2, 1), (3, 5, 7)]


def draw(generator, b, t, v):
    logits = torch.randn((b, t, v), generator=generator, dtype=torch.float64) * 3
    return logits, torch.randint(v, (b, t), generator=generator)


@pytest.mark.parametrize("sizes", SIZES)
def test_tokens_are_trls(sizes, generator, proof) -> None:
    logits, ids = draw(generator, *sizes)
    theirs = selective_log_softmax(logits[:, :-1], ids[:, 1:])
    proof(token_logprobs, "trl selective_log_softmax").close(token_logprobs(logits, ids), theirs, within=1e-13)


def test_sequences_are_products_of_probabilities(generator, proof) -> None:
    logits, ids = draw(generator, 3, 5, 4)
    mask = torch.tensor([[0, 0, 1, 1, 1], [0, 1, 0, 0, 0], [0, 0, 0, 0, 0]], dtype=torch.bool)
    expected = []
    for row, tokens, marked in zip(logits.tolist(), ids.tolist(), mask.tolist(), strict=True):
        total = 1.0
        for step in range(1, 5):
            if marked[step]:
                weights = [math.exp(one) for one in row[step - 1]]
                total *= weights[tokens[step]] / sum(weights)
        expected.append(math.log(total))
    ours = sequence_logprobs(logits, ids, mask)
    proof(sequence_logprobs, "brute force").close(ours, expected, within=1e-13)
    proof(token_logprobs, "brute force").close(
        (token_logprobs(logits, ids) * mask[:, 1:]).sum(-1), expected, within=1e-13
    )
    assert ours[2] == 0.0


def test_the_probabilities_of_all_completions_sum_to_one(generator) -> None:
    """A table as model: every completion of two tokens after one prompt token."""
    table = torch.randn((3, 3), generator=generator, dtype=torch.float64)
    ids = torch.tensor([[0, first, second] for first in range(3) for second in range(3)])
    mask = torch.tensor([[False, True, True]]).repeat(9, 1)
    assert sequence_logprobs(table[ids], ids, mask).exp().sum().item() == pytest.approx(1.0, abs=1e-14)


def test_prompt_padding_and_last_logits_change_nothing(generator) -> None:
    logits, ids = draw(generator, 1, 5, 4)
    mask = torch.tensor([[False, False, True, True, False]])
    expected = sequence_logprobs(logits, ids, mask)
    logits[:, [0, 3, 4]] = 1e300  # the marked tokens, at 2 and 3, are predicted at 1 and 2
    ids[:, [0, 1, 4]] = 3
    assert sequence_logprobs(logits, ids, mask) == expected


def test_a_token_that_never_comes() -> None:
    logits = torch.tensor([[[0.0, -torch.inf], [0.0, 0.0], [0.0, 0.0]]], dtype=torch.float64)
    ids = torch.tensor([[0, 1, 0]])
    assert token_logprobs(logits, ids)[0, 0] == -torch.inf
    assert sequence_logprobs(logits, ids, torch.tensor([[False, True, True]])) == -torch.inf
    unmarked = sequence_logprobs(logits, ids, torch.tensor([[False, False, True]]))  # -inf · 0 would be NaN
    assert unmarked.exp().item() == pytest.approx(0.5, abs=1e-15)


def test_gradients_go_to_the_marked_positions_alone(generator, proof) -> None:
    logits, ids = draw(generator, 1, 4, 3)
    logits.requires_grad_()
    sequence_logprobs(logits, ids, torch.tensor([[False, False, True, False]])).backward()
    expected = torch.zeros_like(logits)
    expected[0, 1] = torch.nn.functional.one_hot(ids[0, 2], 3) - torch.softmax(logits[0, 1], -1)
    proof(sequence_logprobs, "one-hot - p").close(logits.grad, expected, within=1e-15)


@pytest.mark.parametrize("shape", [(1,), (7,), (2, 3, 5)])
def test_entropies_are_trls_and_torchs(shape, generator, proof) -> None:
    logits = torch.randn(shape, generator=generator, dtype=torch.float64) * 3
    ours = entropies(logits)
    proof(entropies, "torch.distributions.Categorical.entropy").close(
        ours, Categorical(logits=logits).entropy(), within=1e-14
    )
    proof(entropies, "trl entropy_from_logits").close(ours, entropy_from_logits(logits), within=1e-14)


def test_entropy_at_its_ends_and_its_gradient(generator, proof) -> None:
    sharp = torch.tensor([[0.0, -torch.inf, -torch.inf], [0.0, 0.0, 0.0], [1e300, 0.0, -1e300]], dtype=torch.float64)
    proof(entropies, "published limits: 0 and log V").close(entropies(sharp), [0.0, math.log(3), 0.0], within=1e-15)
    sharp.requires_grad_()
    entropies(sharp).sum().backward()
    assert sharp.grad.isfinite().all()
    logits = torch.randn((2, 4), generator=generator, dtype=torch.float64).requires_grad_()
    values = entropies(logits)
    values.sum().backward()
    p = torch.softmax(logits, -1)
    proof(entropies, "-p (log p + H)").close(logits.grad, -p * (p.log() + values[:, None]), within=1e-14)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_logits_that_are_none(value) -> None:
    logits, ids = torch.full((1, 2, 3), value, dtype=torch.float64), torch.zeros(1, 2, dtype=torch.int64)
    for call in (lambda: token_logprobs(logits, ids), lambda: entropies(logits)):
        with pytest.raises(ValueError, match=f"logits: expected finite values or -inf, got {value}"):
            call()


def test_no_rows_no_logprobs() -> None:
    logits, ids = torch.zeros(0, 2, 3, dtype=torch.float64), torch.zeros(0, 2, dtype=torch.int64)
    assert token_logprobs(logits, ids).shape == (0, 1)
    assert sequence_logprobs(logits, ids, ids > 0).shape == (0,)
    assert entropies(logits).shape == (0, 2)


def test_bad_values() -> None:
    logits, ids = torch.zeros(1, 2, 3, dtype=torch.float64), torch.zeros(1, 2, dtype=torch.int64)
    with pytest.raises(ValueError, match="logits: expected a token above -inf at each position, got none"):
        token_logprobs(logits - torch.inf, ids)
    with pytest.raises(ValueError, match="logits: expected a token above -inf at each position, got none"):
        entropies(torch.zeros(2, 0, dtype=torch.float64))
    with pytest.raises(ValueError, match="ids: expected at least one position, got 0"):
        token_logprobs(logits[:, :0], ids[:, :0])
    for bad in (-1, 3):
        with pytest.raises(ValueError, match=f"ids: expected token ids from 0 to 2, got {bad}"):
            token_logprobs(logits, ids + bad)
    with pytest.raises(ValueError, match="mask: expected false at the first token, which nothing predicts, got true"):
        sequence_logprobs(logits, ids, torch.ones(1, 2, dtype=torch.bool))
    with pytest.raises(TypeError):
        token_logprobs(logits, torch.zeros(1, 3, dtype=torch.int64))


@pytest.mark.gpu
def test_logprobs_on_gpu(generator) -> None:
    logits, ids = draw(generator, 3, 5, 7)
    mask = torch.arange(5).repeat(3, 1) > 1
    ours = sequence_logprobs(logits.cuda(), ids.cuda(), mask.cuda())
    assert ours.is_cuda
    torch.testing.assert_close(ours.cpu(), sequence_logprobs(logits, ids, mask), rtol=0, atol=1e-13)
    torch.testing.assert_close(entropies(logits.cuda()).cpu(), entropies(logits), rtol=0, atol=1e-13)
