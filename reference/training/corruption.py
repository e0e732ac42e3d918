"""Masked-word corruption as BERT trains with. Not covered: whole words, spans, next-sentence pairs."""

from collections.abc import Collection

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from reference import values
from reference.checked import checked
from reference.training.loss import IGNORED

FRACTION = 0.15  # of positions that are predicted
MASKED, RANDOM = 0.8, 0.1  # of the predicted positions; the rest stay as they are


@checked
def corrupt(
    ids: Int64[Tensor, "*n"],
    *,
    mask_id: int,
    n_tokens: int,
    special_ids: Collection[int],
    generator: torch.Generator,
    fraction: float | int = FRACTION,
) -> tuple[Int64[Tensor, "*n"], Int64[Tensor, "*n"]]:
    """Choose positions at random, hide what stood there, and label them with it.

    Every position that holds no special token is chosen with probability `fraction`, independently. Of a chosen one:
    probability 0.8, it becomes `mask_id`; 0.1, a token drawn from all V, itself and special ones included; 0.1, it
    stays. Labels are the original id at chosen positions and `IGNORED` elsewhere. It may be that nothing is chosen.

    The draws: one uniform number a position decides whether it is chosen, a second one what becomes of it, and one
    integer a position is the replacement, all on the generator's device; the same state of it gives the same result.

    Source: Devlin et al. 2019 (arXiv:1810.04805), section 3.1, task 1.
    Departs from it: positions are chosen independently, not as a fixed share of each sequence.

    Args:
        ids: any shape; not changed.
        mask_id: the mask token, 0 <= mask_id < V; not chosen either, if it is among `special_ids`.
        n_tokens: V.
        special_ids: tokens that are never chosen, such as padding and separators.
        generator: the one source of randomness.
        fraction: probability that a position is chosen, from 0 to 1.
    Returns:
        Corrupted ids and labels.
    Raises:
        ValueError: an id, `mask_id` or a special id is not a token id, or `fraction` is not within 0 to 1.

    Cost: O(n·S) for S special ids.

    >>> ids = torch.tensor([[1, 5, 6, 2]])
    >>> generator = torch.Generator().manual_seed(1)
    >>> corrupted, labels = corrupt(ids, mask_id=3, n_tokens=9, special_ids={1, 2}, generator=generator, fraction=1)
    >>> labels.tolist()
    [[-100, 5, 6, -100]]
    >>> corrupted[0, 0].item(), corrupted[0, 3].item()
    (1, 2)
    """
    _require_vocabulary(ids, mask_id, n_tokens, special_ids)
    if not 0 <= fraction <= 1:
        raise ValueError(f"fraction: expected a probability from 0 to 1, got {fraction}")
    chance, fate = (_uniform(ids, generator) for _ in range(2))
    replacement = torch.randint(n_tokens, ids.shape, generator=generator, device=generator.device).to(ids.device)
    chosen = (chance < fraction) & ~_among(ids, special_ids)
    masked = chosen & (fate < MASKED)
    replaced = chosen & (fate >= MASKED) & (fate < MASKED + RANDOM)
    corrupted = torch.where(replaced, replacement, ids.masked_fill(masked, mask_id))
    return corrupted, ids.masked_fill(~chosen, IGNORED)


def _uniform(ids: Int64[Tensor, "*n"], generator: torch.Generator) -> Tensor:
    drawn = torch.rand(ids.shape, generator=generator, device=generator.device, dtype=torch.float64)
    return drawn.to(ids.device)


def _among(ids: Int64[Tensor, "*n"], special_ids: Collection[int]) -> Bool[Tensor, "*n"]:
    found = torch.zeros_like(ids, dtype=torch.bool)
    for special in special_ids:
        found |= ids == special
    return found


def _require_vocabulary(ids: Tensor, mask_id: int, n_tokens: int, special_ids: Collection[int]) -> None:
    values.at_least("n_tokens", n_tokens, 1)
    values.token_ids("ids", ids, n_tokens)
    values.known_ids("mask_id", [mask_id], n_tokens)
    values.known_ids("special_ids", special_ids, n_tokens)
