"""Masks against torch and the mask functions of transformers, position by position, and their rules at the edges."""

import pytest
import torch
from transformers import masking_utils

from reference.attention import causal_mask, padding_mask, sliding_window_mask


def transformers_mask(n: int, batch: int = 1, **how: object) -> torch.Tensor:
    return masking_utils.sdpa_mask(batch, n, n, allow_is_causal_skip=False, **how)[:, 0]


@pytest.mark.parametrize("n", [0, 1, 2, 7])
def test_causal_mask_is_the_lower_triangle(n, proof) -> None:
    proof(causal_mask, "torch.tril").equal(causal_mask(n).tolist(), torch.ones(n, n, dtype=torch.bool).tril().tolist())
    proof(causal_mask, "transformers.masking_utils").equal(causal_mask(n).tolist(), transformers_mask(n)[0].tolist())


@pytest.mark.parametrize("n", [0, 1, 2, 7])
@pytest.mark.parametrize("window", [1, 2, 3, 6, 7, 8, 100])
def test_sliding_window_is_what_mistral_sees(n, window, proof) -> None:
    function = masking_utils.sliding_window_causal_mask_function(window)
    ours, theirs = sliding_window_mask(n, window), transformers_mask(n, mask_function=function)[0]
    proof(sliding_window_mask, "transformers.masking_utils, Mistral").equal(ours.tolist(), theirs.tolist())
    by_hand = [[j <= i and i - j < window for j in range(n)] for i in range(n)]
    proof(sliding_window_mask, "brute force").equal(ours.tolist(), by_hand)


@pytest.mark.parametrize("n", [0, 1, 5])
def test_sliding_window_as_long_as_the_text_is_the_causal_mask(n) -> None:
    for window in (max(n, 1), n + 1, n + 50):
        assert torch.equal(sliding_window_mask(n, window), causal_mask(n))


@pytest.mark.parametrize(("lengths", "n"), [([0, 1, 3, 4], 4), ([0], 0), ([], 3), ([2, 2], 2), ([0, 0], 5)])
def test_padding_mask_shows_real_tokens(lengths, n, proof) -> None:
    ours = padding_mask(torch.tensor(lengths, dtype=torch.int64), n)
    assert ours.shape == (len(lengths), n)
    proof(padding_mask, "brute force").equal(ours.tolist(), [[j < length for j in range(n)] for length in lengths])


def test_padding_and_causal_masks_combine_as_in_transformers(proof) -> None:
    lengths = torch.tensor([4, 1, 0])
    ours = causal_mask(4) & padding_mask(lengths, 4)[:, None, :]
    theirs = transformers_mask(4, batch=3, attention_mask=padding_mask(lengths, 4))
    proof(padding_mask, "transformers.masking_utils").equal(ours.tolist(), theirs.tolist())


def test_masks_refuse_what_is_no_length() -> None:
    with pytest.raises(ValueError, match="n: expected 0 or more, got -1"):
        causal_mask(-1)
    with pytest.raises(ValueError, match="n: expected 0 or more, got -1"):
        sliding_window_mask(-1, 1)
    with pytest.raises(ValueError, match="n: expected 0 or more, got -1"):
        padding_mask(torch.tensor([0]), -1)
    with pytest.raises(TypeError, match="lengths"):
        padding_mask(torch.tensor([1.0]), 1)


@pytest.mark.parametrize("window", [0, -3])
def test_a_window_shows_something(window: int) -> None:
    with pytest.raises(ValueError, match=f"window: expected 1 or more, got {window}"):
        sliding_window_mask(3, window)


@pytest.mark.parametrize("wrong", [-1, 4])
def test_lengths_fit_the_batch(wrong: int) -> None:
    with pytest.raises(ValueError, match=f"lengths: expected 0 to 3, got {wrong}"):
        padding_mask(torch.tensor([3, wrong]), 3)


def test_masks_are_made_where_they_are_wanted() -> None:
    assert causal_mask(2, device="meta").device.type == "meta"
    assert sliding_window_mask(2, 1, device=torch.device("meta")).device.type == "meta"


@pytest.mark.parametrize("window", [2**63 - 1, 2**63, 10**30])
def test_a_window_of_any_size_may_be_asked_for(window: int) -> None:
    """2^63 does not fit the tensors' integers, and once hid everything."""
    assert torch.equal(sliding_window_mask(3, window), causal_mask(3))
