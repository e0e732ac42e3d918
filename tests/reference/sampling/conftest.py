"""Rows of logits, and a tiny GPT-2 of transformers as the model that generates."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from transformers import GPT2Config, GPT2LMHeadModel

N_TOKENS = 11


@pytest.fixture
def normal() -> Callable[..., Tensor]:
    """Normal numbers of the given shape, the same for the same seed."""
    return lambda *shape, seed=0: torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture(scope="module")
def gpt2() -> GPT2LMHeadModel:
    """Weights large enough that what came before decides what comes next."""
    config = GPT2Config(
        vocab_size=N_TOKENS,
        n_positions=32,
        n_embd=8,
        n_layer=2,
        n_head=2,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        tie_word_embeddings=False,
        bos_token_id=None,
        eos_token_id=None,
    )
    model = GPT2LMHeadModel(config).double().eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return model


@pytest.fixture
def logits_of(gpt2: GPT2LMHeadModel) -> Callable[[Tensor], Tensor]:
    """The same model as a plain function of ids."""
    return lambda ids: gpt2(input_ids=ids, use_cache=False).logits
