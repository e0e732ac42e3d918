"""An encoder from a dictionary of its weights. Not covered: segments, the next-sentence head, post-norm blocks."""

from functools import partial

import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor, nn
from torch.func import functional_call

from reference.checked import checked
from reference.positional import sinusoidal
from reference.transformer import Attention, FeedForward, LayerNorm, PreNormBlock, gelu
from reference.transformer_functions.weights import Weights, n_blocks, require_names, weight_of
from reference.values import token_ids


@checked
def encoder(
    ids: Int64[Tensor, "B T"], weights: Weights, n_heads: int, mask: Bool[Tensor, "B T"] | None = None
) -> Float64[Tensor, "B T V"]:
    """Give the logits of the word at each position, seen from both its sides.

    x = E[ids] + sinusoidal(T, D); x through L pre-norm blocks, h = x + attention(layer_norm(x)) and
    y = h + feed_forward(layer_norm(h)), with feed_forward(z) = gelu(z W_upᵀ + b_up) W_downᵀ + b_down;
    logits = layer_norm(x) Eᵀ + b. Every projection has a bias; every eps is 1e-5.

    Source: Devlin et al. 2019 (arXiv:1810.04805), section 3 (both sides, the words' own embeddings as output weights).
    Departs from it: pre-norm blocks (Xiong et al. 2020, arXiv:2002.04745) and a final norm, sinusoidal positions
    (Vaswani et al. 2017, arXiv:1706.03762), no segments, no projection before the output.

    Args:
        ids: token ids; B = 0 or T = 0: empty logits.
        weights: `token_embedding.weight` (V, D), behind `blocks.0.`, `blocks.1.`, … those of each block, `.weight` and
            `.bias` of `attention_norm`, `attention.q_proj`, k, v and o alike, `feed_forward_norm`,
            `feed_forward.up_proj` and `feed_forward.down_proj`; `.weight` and `.bias` of `final_norm`; `lm_head.bias`.
        n_heads: a divisor of D.
        mask: true at tokens, false at padding, which no position looks at; None: no padding. A text that is padding
            throughout gathers zeros.
    Raises:
        ValueError: a name is missing or unknown, an id is unknown, `n_heads` does not divide D, or a value on the way
            is not finite.
        RuntimeError: a weight has another shape than its place.

    Cost: O(B·T·(L·D·(D + F + T) + D·V)).

    >>> encoder(torch.tensor([[0, 1]]), {}, 1)
    Traceback (most recent call last):
    ValueError: weights: expected 'token_embedding.weight', got []
    """
    embedding = weight_of(weights, "token_embedding.weight")  # (V, D)
    inner = weight_of(weights, "blocks.0.feed_forward.up_proj.weight")  # (F, D)
    model = _Encoder(*embedding.shape, n_layers=n_blocks(weights), n_heads=n_heads, inner_width=len(inner))
    require_names(weights, model)
    return functional_call(model, dict(weights), (ids,), {"mask": mask})  # type: ignore[no-any-return]


class _Encoder(nn.Module):
    """The parts in their places; their own weights are never used."""

    def __init__(self, n_tokens: int, width: int, *, n_layers: int, n_heads: int, inner_width: int) -> None:
        super().__init__()
        block = partial(_block, width, n_heads, inner_width)
        self.token_embedding = nn.Embedding(n_tokens, width, dtype=torch.float64)
        self.blocks = nn.ModuleList(block() for _ in range(n_layers))
        self.final_norm = LayerNorm(width)
        self.lm_head = nn.ParameterDict({"bias": torch.zeros(n_tokens, dtype=torch.float64, device="cpu")})

    def forward(self, ids: Tensor, mask: Tensor | None) -> Tensor:
        embedding = self.token_embedding.weight
        token_ids("ids", ids, len(embedding))
        x = embedding[ids] + sinusoidal(ids.shape[1], embedding.shape[1], device=ids.device)  # (B, T, D)
        for block in self.blocks:
            x = block(x, mask=None if mask is None else mask[:, None])
        return nn.functional.linear(self.final_norm(x), embedding, self.lm_head["bias"])


def _block(width: int, n_heads: int, inner_width: int) -> PreNormBlock:
    generator = torch.Generator()
    attention = Attention(width, n_heads, generator=generator)
    feed_forward = FeedForward(width, inner_width, activation=gelu, generator=generator)
    return PreNormBlock(attention, feed_forward, LayerNorm(width), LayerNorm(width))
