"""A decoder from a dictionary of its weights, and one block of it. Not covered: caches, windows, groups of heads."""

import torch
from jaxtyping import Float64, Int64
from torch import Tensor
from torch.func import functional_call

from reference.attention import causal_mask
from reference.checked import checked
from reference.transformer import Llama, LlamaConfig
from reference.transformer_functions.weights import Weights, n_blocks, require_names, weight_of


@checked
def decoder_block(x: Float64[Tensor, "B T D"], weights: Weights, n_heads: int) -> Float64[Tensor, "B T D"]:
    """Send `x` through one causal pre-norm block with RMSNorm, rotary positions 0, 1, … and SwiGLU.

    h = x + attention(rms_norm(x)), y = h + feed_forward(rms_norm(h)), with feed_forward(z) = swiglu(z W_gateᵀ,
    z W_upᵀ) W_downᵀ. Queries and keys of each head are turned by `rotary`, base 10000; every eps is 1e-6; no biases.

    Source: Touvron et al. 2023 (arXiv:2302.13971), section 2.2.

    Args:
        x: one vector of width D a position; B = 0 or T = 0: empty.
        weights: `attention_norm.weight`, `attention.q_proj.weight`, k, v and o alike, `feed_forward_norm.weight`,
            `feed_forward.gate_proj.weight`, up and down alike.
        n_heads: a divisor of D with D/n_heads even.
    Raises:
        ValueError: a name is missing or unknown, `n_heads` does not fit, or a value on the way is not finite.
        RuntimeError: a weight has another shape than its place.

    Cost: O(B·T·D·(D + F + T)).

    >>> names = ["attention_norm.weight", *(f"attention.{name}_proj.weight" for name in "qkvo")]
    >>> names += ["feed_forward_norm.weight", *(f"feed_forward.{name}_proj.weight" for name in ("gate", "up", "down"))]
    >>> square = torch.zeros(2, 2, dtype=torch.float64)
    >>> weights = {name: square[0] if "norm" in name else square for name in names}
    >>> decoder_block(torch.tensor([[[3.0, 4.0]]], dtype=torch.float64), weights, 1).tolist()      # the residual path
    [[[3.0, 4.0]]]
    """
    gate = weight_of(weights, "feed_forward.gate_proj.weight")  # (F, D)
    block = _llama(1, x.shape[-1], n_layers=1, n_heads=n_heads, inner_width=len(gate)).blocks[0]
    require_names(weights, block)
    mask = causal_mask(x.shape[1], device=x.device)[None]
    return functional_call(block, dict(weights), (x,), {"mask": mask})  # type: ignore[no-any-return]


@checked
def decoder(ids: Int64[Tensor, "B T"], weights: Weights, n_heads: int) -> Float64[Tensor, "B T V"]:
    """Give the logits of the token after each position.

    x = E[ids]; x through `decoder_block` L times; logits = rms_norm(x) Wᵀ, eps 1e-6.

    Source: Touvron et al. 2023 (arXiv:2302.13971), section 2.2.

    Args:
        ids: token ids; B = 0 or T = 0: empty logits.
        weights: `token_embedding.weight` (V, D), those of each block behind `blocks.0.`, `blocks.1.`, …,
            `final_norm.weight` (D), `lm_head.weight` (V, D).
        n_heads: as in `decoder_block`.
    Raises:
        ValueError: as in `decoder_block`, or an id is unknown.
        RuntimeError: a weight has another shape than its place.

    Cost: O(B·T·(L·D·(D + F + T) + D·V)).

    >>> from reference.transformer_functions import train_decoder
    >>> weights = train_decoder(torch.arange(100) % 3, 3, 0, steps=0)
    >>> decoder(torch.tensor([[0, 1]]), weights, 2).shape
    torch.Size([1, 2, 3])
    >>> decoder(torch.tensor([[0, 3]]), weights, 2)
    Traceback (most recent call last):
    ValueError: ids: expected token ids from 0 to 2, got 3
    """
    n_tokens, width = weight_of(weights, "token_embedding.weight").shape
    gate = weight_of(weights, "blocks.0.feed_forward.gate_proj.weight")  # (F, D)
    length, n_layers = max(ids.shape[1], 1), n_blocks(weights)
    model = _llama(n_tokens, width, n_layers=n_layers, n_heads=n_heads, inner_width=len(gate), context_length=length)
    require_names(weights, model)
    return functional_call(model, dict(weights), (ids,))  # type: ignore[no-any-return]


def _llama(
    n_tokens: int, width: int, *, n_layers: int, n_heads: int, inner_width: int, context_length: int = 1
) -> Llama:
    """A model of these sizes, whose own weights are never used."""
    config = LlamaConfig(
        vocab_size=n_tokens,
        context_length=context_length,
        width=width,
        n_layers=n_layers,
        n_heads=n_heads,
        n_groups=n_heads,
        inner_width=inner_width,
    )
    return Llama(config, generator=torch.Generator())
