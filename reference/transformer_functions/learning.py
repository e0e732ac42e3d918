"""A small decoder, trained from a seed. Not covered: other sizes, schedules, clipping (see `reference.training`)."""

import math

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from reference.checked import checked
from reference.training import AdamW, random_windows, train_step
from reference.transformer import Llama, LlamaConfig
from reference.values import at_least

WIDTH, N_HEADS, INNER_WIDTH = 32, 2, 64  # of the one block: 200 steps take a second on one core
BATCH_SIZE, LENGTH = 8, 64  # windows a step, and tokens in each
RATE = 1e-2


@checked
def train_decoder(
    ids: Int64[Tensor, " n"], n_tokens: int, seed: int, steps: int = 200
) -> dict[str, Float64[Tensor, "..."]]:
    """Train a decoder of one block on a text, and give its weights as `decoder` takes them, for 2 heads.

    Every step draws 8 windows of 64 tokens and follows the gradient of their cross-entropy by Adam at a rate of 0.01.

    Source: Radford et al. 2018, Improving Language Understanding by Generative Pre-Training, section 4.1.
    Departs from it: sizes; RMSNorm, rotary positions and SwiGLU as in Touvron et al. 2023 (arXiv:2302.13971); a
    constant rate, no dropout, no weight decay.

    Args:
        ids: the text, 65 tokens or more.
        n_tokens: V.
        seed: of the first weights and of the windows, 0 or more.
        steps: how many, 0 or more; 0 gives the first weights.
    Raises:
        ValueError: `steps` is negative, the text is too short, or an id is unknown.

    Cost: O(steps·B·T·(D·(D + F + T) + D·V)).

    >>> sorted(train_decoder(torch.arange(100) % 3, 3, 0, steps=1))[-2:]
    ['lm_head.weight', 'token_embedding.weight']
    """
    at_least("steps", steps, 0)
    generator = torch.Generator().manual_seed(seed)
    config = LlamaConfig(
        vocab_size=n_tokens,
        context_length=LENGTH,
        width=WIDTH,
        n_layers=1,
        n_heads=N_HEADS,
        n_groups=N_HEADS,
        inner_width=INNER_WIDTH,
    )
    model = Llama(config, generator=generator)
    optimizer = AdamW(model.parameters(), weight_decay=0)
    for _ in range(steps):
        inputs, targets = random_windows(ids, batch_size=BATCH_SIZE, length=LENGTH, generator=generator)
        train_step(model, optimizer, inputs=inputs, targets=targets, rate=RATE, max_norm=math.inf)
    return {name: weight.detach().clone() for name, weight in model.named_parameters()}
