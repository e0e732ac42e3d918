"""Masked words from a seed: `reference.training.corrupt` for who has no generator. Not covered: spans, whole words."""

from collections.abc import Collection

import torch
from jaxtyping import Int64
from torch import Tensor

from reference import training
from reference.checked import checked


@checked
def corrupt(
    ids: Int64[Tensor, "*n"],
    mask_id: int,
    n_tokens: int,
    special_ids: Collection[int],
    seed: int,
    fraction: float | int = 0.15,
) -> tuple[Int64[Tensor, "*n"], Int64[Tensor, "*n"]]:
    """Choose positions at random, hide what stood there, and label them with it.

    Every position that holds no special token is chosen with probability `fraction`, independently. Of a chosen one:
    probability 0.8, it becomes `mask_id`; 0.1, a token drawn from all V; 0.1, it stays. Labels are the original id at
    chosen positions and -100 elsewhere.

    Source: Devlin et al. 2019 (arXiv:1810.04805), section 3.1, task 1.
    Departs from it: positions are chosen independently, not as a fixed share of each sequence.

    Args:
        ids: any shape; not changed.
        mask_id: the mask token.
        n_tokens: V.
        special_ids: tokens that are never chosen.
        seed: 0 or more; the same one gives the same result.
        fraction: probability that a position is chosen, from 0 to 1.
    Returns:
        Corrupted ids and labels.
    Raises:
        ValueError: an id is unknown, or `fraction` is not within 0 to 1.

    Cost: O(n·S) for S special ids.

    >>> corrupt(torch.tensor([1, 5, 2]), 3, 9, [1, 2], seed=0, fraction=1)[1].tolist()
    [-100, 5, -100]
    """
    return training.corrupt(
        ids,
        mask_id=mask_id,
        n_tokens=n_tokens,
        special_ids=special_ids,
        generator=torch.Generator(device=ids.device).manual_seed(seed),
        fraction=fraction,
    )
