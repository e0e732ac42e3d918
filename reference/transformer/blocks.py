"""Blocks: attention and a feed-forward layer, each beside a residual path, normalised before or after.

Covers pre-norm and post-norm. Not covered: cross-attention (see `CrossBlock`), dropout, parallel blocks.
"""

from jaxtyping import Bool, Float64
from torch import Tensor, nn

from reference.attention import KVCache
from reference.checked import checked


class PreNormBlock(nn.Module):
    """Normalise what goes into each sublayer; the residual path itself is never normalised.

    h = x + attention(norm_1(x)), y = h + feed_forward(norm_2(h)).

    Source: Xiong et al. 2020 (arXiv:2002.04745), table 1 (pre-LN); so are GPT-2, Llama and ViT.

    Args:
        attention: such as `Attention`.
        feed_forward: such as `FeedForward`.
        attention_norm: norm_1, such as `LayerNorm`.
        feed_forward_norm: norm_2.

    >>> import torch
    >>> from reference.transformer import Attention, GatedFeedForward, RMSNorm
    >>> g = torch.Generator().manual_seed(0)
    >>> block = PreNormBlock(Attention(2, 1, generator=g), GatedFeedForward(2, 8, generator=g), RMSNorm(2), RMSNorm(2))
    >>> block(torch.zeros(1, 3, 2, dtype=torch.float64)).tolist()
    [[[0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]]
    """

    @checked
    def __init__(
        self, attention: nn.Module, feed_forward: nn.Module, attention_norm: nn.Module, feed_forward_norm: nn.Module
    ) -> None:
        super().__init__()
        self.attention_norm, self.attention = attention_norm, attention
        self.feed_forward_norm, self.feed_forward = feed_forward_norm, feed_forward

    @checked
    def forward(
        self,
        x: Float64[Tensor, "B T D"],
        *,
        mask: Bool[Tensor, "#B #T #S"] | None = None,
        cache: KVCache | None = None,
    ) -> Float64[Tensor, "B T D"]:
        """Send `x` through both sublayers.

        Args:
            x: one vector of width D a position; B = 0 or T = 0: empty.
            mask: true where query T may look at key S; a dimension of 1 stands for all. None: everywhere.
            cache: of this block's attention; the keys and values of `x` are appended to it.
        Raises:
            ValueError: a sublayer refuses what it gets.

        Cost: O(B·T·D·(D + F + S)).

        >>> import torch
        >>> from reference.transformer import Attention, GatedFeedForward, RMSNorm
        >>> g = torch.Generator().manual_seed(0)
        >>> halves = Attention(2, 1, generator=g), GatedFeedForward(2, 8, generator=g)
        >>> PreNormBlock(*halves, RMSNorm(2), RMSNorm(2))(torch.zeros(1, 0, 2, dtype=torch.float64)).shape
        torch.Size([1, 0, 2])
        """
        h = x + self.attention(self.attention_norm(x), mask=mask, cache=cache)
        return h + self.feed_forward(self.feed_forward_norm(h))  # type: ignore[no-any-return]


class PostNormBlock(nn.Module):
    """Normalise the sum of each sublayer and its residual path.

    h = norm_1(x + attention(x)), y = norm_2(h + feed_forward(h)).

    Source: Vaswani et al. 2017 (arXiv:1706.03762), section 3.1; so is BERT.

    Args:
        attention: such as `Attention`.
        feed_forward: such as `FeedForward`.
        attention_norm: norm_1, such as `LayerNorm`.
        feed_forward_norm: norm_2.

    >>> import torch
    >>> from reference.transformer import Attention, FeedForward, LayerNorm, gelu
    >>> g = torch.Generator().manual_seed(0)
    >>> halves = Attention(2, 1, generator=g), FeedForward(2, 8, activation=gelu, generator=g)
    >>> block = PostNormBlock(*halves, LayerNorm(2), LayerNorm(2))
    >>> block(torch.tensor([[[5.0, 9.0]]], dtype=torch.float64)).detach().numpy().round(3)    # each position is normed
    array([[[-1.,  1.]]])
    """

    @checked
    def __init__(
        self, attention: nn.Module, feed_forward: nn.Module, attention_norm: nn.Module, feed_forward_norm: nn.Module
    ) -> None:
        super().__init__()
        self.attention, self.attention_norm = attention, attention_norm
        self.feed_forward, self.feed_forward_norm = feed_forward, feed_forward_norm

    @checked
    def forward(
        self, x: Float64[Tensor, "B T D"], *, mask: Bool[Tensor, "#B #T #S"] | None = None
    ) -> Float64[Tensor, "B T D"]:
        """Send `x` through both sublayers.

        Args:
            x: one vector of width D a position; B = 0 or T = 0: empty.
            mask: true where query T may look at key S; a dimension of 1 stands for all. None: everywhere.
        Raises:
            ValueError: a sublayer refuses what it gets.

        Cost: O(B·T·D·(D + F + T)).

        >>> import torch
        >>> from reference.transformer import Attention, FeedForward, LayerNorm, gelu
        >>> g = torch.Generator().manual_seed(0)
        >>> halves = Attention(2, 1, generator=g), FeedForward(2, 8, activation=gelu, generator=g)
        >>> PostNormBlock(*halves, LayerNorm(2), LayerNorm(2))(torch.zeros(1, 0, 2, dtype=torch.float64)).shape
        torch.Size([1, 0, 2])
        """
        h = self.attention_norm(x + self.attention(x, mask=mask))
        return self.feed_forward_norm(h + self.feed_forward(h))  # type: ignore[no-any-return]
