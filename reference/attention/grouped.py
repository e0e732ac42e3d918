"""Grouped-query attention: several heads of queries share one head of keys and values, so that a cache is smaller."""

from jaxtyping import Bool, Float64
from torch import Tensor

from reference.attention.dot_product import scaled_dot_product
from reference.checked import checked


@checked
def grouped_query(
    q: Float64[Tensor, "*B H T d"],
    k: Float64[Tensor, "*B G S d"],
    v: Float64[Tensor, "*B G S e"],
    mask: Bool[Tensor, "*#leading #T #S"] | None = None,
) -> tuple[Float64[Tensor, "*B H T e"], Float64[Tensor, "*B H T S"]]:
    """Attend with H heads of queries over G heads of keys and values.

    Head h is the scaled dot-product attention of q[h] over k[g] and v[g], with g = ⌊h / (H/G)⌋: neighbours share. G = 1
    is multi-query attention, G = H is multi-head attention. Masking and empty dimensions as in `scaled_dot_product`.

    Source: Ainslie et al. 2023 (arXiv:2305.13245), section 2.2; G = 1: Shazeer 2019 (arXiv:1911.02150), section 3.

    Args:
        q: queries, H heads.
        k: keys, G heads, G a divisor of H.
        v: values, one for each key.
        mask: true where query T may look at key S; its dimensions, from the last, are those of the weights, so that
            heads come third from the end; a dimension of 1, or a leading one left out, stands for all. None:
            everywhere.
    Returns:
        Outputs and weights, of all H heads.
    Raises:
        TypeError: a wrong type or shape, a mask that does not fit the weights included.
        ValueError: G does not divide H, d is 0, or a score or a value is not finite.

    Cost: O(B·H·T·S·(d + e)) time, O(B·H·(T·S + S·(d + e))) memory, since keys and values are repeated.

    >>> import torch
    >>> q = torch.zeros(4, 1, 1, dtype=torch.float64)
    >>> k, v = torch.zeros(2, 1, 1, dtype=torch.float64), torch.tensor([[[5.0]], [[7.0]]], dtype=torch.float64)
    >>> grouped_query(q, k, v)[0].flatten().tolist()
    [5.0, 5.0, 7.0, 7.0]
    """
    heads, groups = q.shape[-3], k.shape[-3]
    if groups == 0 or heads % groups:
        raise ValueError(f"k: expected a number G of heads that divides H = {heads}, got {groups}")
    sharers = heads // groups
    keys, values = (x.repeat_interleave(sharers, dim=-3) for x in (k, v))  # (*B, H, S, d), (*B, H, S, e)
    return scaled_dot_product(q, keys, values, mask)
