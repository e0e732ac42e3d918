"""The decoder's block of an encoder–decoder. Not covered: pre-norm, dropout, a cache of the memory's keys."""

from jaxtyping import Bool, Float64
from torch import Tensor, nn

from reference.attention import KVCache
from reference.checked import checked
from reference.transformer.attention_layer import Attention


class CrossBlock(nn.Module):
    """Look at oneself, then at the encoder's memory, then think: three post-norm sublayers.

    g = norm_1(x + attention(x)), h = norm_2(g + cross_attention(g, memory)), y = norm_3(h + feed_forward(h)).

    Source: Vaswani et al. 2017 (arXiv:1706.03762), section 3.1 (decoder).

    Args:
        attention: over the target itself.
        cross_attention: from the target to the memory.
        feed_forward: such as `FeedForward`.
        norms: norm_1, norm_2 and norm_3, such as `LayerNorm`.

    >>> import torch
    >>> from reference.transformer import FeedForward, LayerNorm
    >>> g = torch.Generator().manual_seed(0)
    >>> parts = Attention(2, 1, generator=g), Attention(2, 1, generator=g)
    >>> feed_forward = FeedForward(2, 8, activation=torch.relu, generator=g)
    >>> block = CrossBlock(*parts, feed_forward, norms=(LayerNorm(2), LayerNorm(2), LayerNorm(2)))
    >>> x, memory = torch.zeros(1, 3, 2, dtype=torch.float64), torch.zeros(1, 5, 2, dtype=torch.float64)
    >>> block(x, memory).shape
    torch.Size([1, 3, 2])
    """

    @checked
    def __init__(
        self,
        attention: Attention,
        cross_attention: Attention,
        feed_forward: nn.Module,
        *,
        norms: tuple[nn.Module, nn.Module, nn.Module],
    ) -> None:
        super().__init__()
        self.attention, self.cross_attention, self.feed_forward = attention, cross_attention, feed_forward
        self.attention_norm, self.cross_attention_norm, self.feed_forward_norm = norms

    @checked
    def forward(
        self,
        x: Float64[Tensor, "B T D"],
        memory: Float64[Tensor, "B S D"],
        *,
        mask: Bool[Tensor, "#B #T #P"] | None = None,
        memory_mask: Bool[Tensor, "#B #T S"] | None = None,
        cache: KVCache | None = None,
    ) -> Float64[Tensor, "B T D"]:
        """Send `x` through the three sublayers. The memory may be empty: what is gathered from it is then zero.

        Args:
            x: one vector of width D a target position; B = 0 or T = 0: empty.
            memory: what the encoder made of the source, one vector a position.
            mask: true where target position T may look at target position P. None: everywhere.
            memory_mask: true where target position T may look at source position S. None: everywhere.
            cache: of the attention over the target; the keys and values of `x` are appended to it.
        Raises:
            ValueError: a sublayer refuses what it gets.

        Cost: O(B·D·(T·(D + F + P + S) + S·D)).

        >>> import torch
        >>> from reference.transformer import FeedForward, LayerNorm
        >>> g = torch.Generator().manual_seed(0)
        >>> parts = Attention(2, 1, generator=g), Attention(2, 1, generator=g)
        >>> feed_forward = FeedForward(2, 8, activation=torch.relu, generator=g)
        >>> block = CrossBlock(*parts, feed_forward, norms=(LayerNorm(2), LayerNorm(2), LayerNorm(2)))
        >>> block(*torch.zeros(2, 1, 0, 2, dtype=torch.float64)).shape
        torch.Size([1, 0, 2])
        """
        g = self.attention_norm(x + self.attention(x, mask=mask, cache=cache))
        h = self.cross_attention_norm(g + self.cross_attention(g, memory, mask=memory_mask))
        return self.feed_forward_norm(h + self.feed_forward(h))  # type: ignore[no-any-return]
