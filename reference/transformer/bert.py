"""BERT: an encoder of post-norm blocks with learned positions and segments, and its two heads for pre-training.

Covers logits of masked words and of the next sentence, and hidden states. Not covered: dropout, the corruption of the
input and the loss (see `reference.training`).
"""

from dataclasses import dataclass

import torch
from beartype import beartype
from jaxtyping import Bool, Float64, Int64, jaxtyped
from torch import Tensor, nn

from reference.checked import checked
from reference.positional import learned
from reference.transformer.activations import gelu
from reference.transformer.assembly import layer_norm_of, self_block
from reference.transformer.blocks import PostNormBlock
from reference.transformer.initial import embedding, linear
from reference.transformer.rules import divisor, known_ids, over_keys, sizes
from reference.values import token_ids


@jaxtyped(typechecker=beartype)
@dataclass(frozen=True, kw_only=True)
class BertConfig:
    """The sizes of a BERT.

    Source: Devlin et al. 2019 (arXiv:1810.04805), section 3 (model architecture, input representations).

    Args:
        vocab_size: V, tokens.
        context_length: C, the most positions, each with its own learned vector.
        width: D.
        n_layers: L, blocks.
        n_heads: H, a divisor of D.
        inner_width: F, of the feed-forward layers; 4·D in BERT.
        n_segments: kinds of segments; 2 in BERT: sentence A, sentence B.
        epsilon: of every LayerNorm.
    Raises:
        ValueError: a size is below 1, `n_heads` does not divide `width`, or `epsilon` is not above 0.

    >>> BertConfig(vocab_size=7, context_length=0, width=6, n_layers=1, n_heads=3, inner_width=24)
    Traceback (most recent call last):
    ValueError: context_length: expected 1 or more, got 0
    """

    vocab_size: int
    context_length: int
    width: int
    n_layers: int
    n_heads: int
    inner_width: int
    n_segments: int = 2
    epsilon: float = 1e-12

    def __post_init__(self) -> None:
        sizes(self)
        divisor("n_heads", self.n_heads, "width", self.width)


class Bert(nn.Module):
    """Guess each word from both its sides, and whether the second sentence followed the first.

    x = norm(E[ids] + P[positions] + S[segments]); x through L post-norm blocks;
    words: norm(gelu(x W_1 + b_1)) Eᵀ + b_2;
    next sentence: tanh(x_0 W_3 + b_3) W_4 + b_4, from the first position alone.

    Source: Devlin et al. 2019 (arXiv:1810.04805), sections 3 and 3.1, appendix A.2.
    Departs from it: as in the released models, both heads have a projection of their own, and the words' a norm; no
    dropout.

    Args:
        config: the sizes.
        generator: draws all weights, see `reference.transformer.initial`; its device is where they are.

    >>> config = BertConfig(vocab_size=7, context_length=8, width=6, n_layers=2, n_heads=3, inner_width=24)
    >>> model = Bert(config, generator=torch.Generator().manual_seed(0))
    >>> words, next_sentence = model(torch.tensor([[5, 0, 6], [1, 1, 1]]))
    >>> words.shape, next_sentence.shape
    (torch.Size([2, 3, 7]), torch.Size([2, 2]))
    """

    @checked
    def __init__(self, config: BertConfig, *, generator: torch.Generator) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.token_embedding = embedding(config.vocab_size, width, generator=generator)
        self.position_embedding = embedding(config.context_length, width, generator=generator)
        self.segment_embedding = embedding(config.n_segments, width, generator=generator)
        self.embedding_norm = layer_norm_of(config, generator)
        self.blocks = nn.ModuleList(
            self_block(PostNormBlock, config, activation=gelu, generator=generator) for _ in range(config.n_layers)
        )
        self.word_proj = linear(width, width, bias=True, generator=generator)
        self.word_norm = layer_norm_of(config, generator)
        self.lm_head = linear(width, config.vocab_size, bias=True, generator=generator)
        self.lm_head.weight = self.token_embedding.weight
        self.pooler = linear(width, width, bias=True, generator=generator)
        self.next_sentence_head = linear(width, 2, bias=True, generator=generator)

    @checked
    def forward(
        self,
        ids: Int64[Tensor, "B T"],
        segments: Int64[Tensor, "B T"] | None = None,
        mask: Bool[Tensor, "B T"] | None = None,
    ) -> tuple[Float64[Tensor, "B T V"], Float64[Tensor, "B 2"]]:
        """Give the logits of both heads.

        Args:
            ids: token ids, at least one a text; B = 0: empty logits.
            segments: 0 for the first sentence, 1 for the second; None: all 0.
            mask: true at tokens, false at padding, see `reference.attention.padding_mask`; None: no padding. What
                stands at padding changes no other position.
        Returns:
            Logits of the word at each position; logits of "followed" (column 0) and "drawn at random" (column 1).
        Raises:
            ValueError: an id or a segment is unknown, T is 0 or longer than the context, or a value on the way is not
                finite.

        Cost: O(B·T·(L·D·(D + F + T) + D·V)).

        >>> config = BertConfig(vocab_size=7, context_length=8, width=6, n_layers=2, n_heads=3, inner_width=24)
        >>> model = Bert(config, generator=torch.Generator().manual_seed(0))
        >>> mask = torch.tensor([[True, True, False]])
        >>> one, other = (model(torch.tensor([[5, 0, padding]]), mask=mask) for padding in (1, 2))
        >>> bool((one[0][:, :2] == other[0][:, :2]).all()), bool((one[1] == other[1]).all())
        (True, True)
        """
        if ids.shape[1] == 0:
            raise ValueError("ids: expected 1 token or more, for the next-sentence head reads the first, got 0")
        x = self.hidden(ids, segments, mask)  # (B, T, D)
        words = self.lm_head(self.word_norm(gelu(self.word_proj(x))))  # (B, T, V)
        return words, self.next_sentence_head(torch.tanh(self.pooler(x[:, 0])))

    @checked
    def hidden(
        self,
        ids: Int64[Tensor, "B T"],
        segments: Int64[Tensor, "B T"] | None = None,
        mask: Bool[Tensor, "B T"] | None = None,
    ) -> Float64[Tensor, "B T D"]:
        """Give what the heads get: the last block's result. A text that is padding throughout gathers zeros.

        Args:
            ids: as in `forward`; T = 0: empty.
            segments: as in `forward`.
            mask: as in `forward`.
        Raises:
            ValueError: as in `forward`, but T may be 0.

        Cost: O(B·T·L·D·(D + F + T)).

        >>> config = BertConfig(vocab_size=7, context_length=8, width=6, n_layers=2, n_heads=3, inner_width=24)
        >>> model = Bert(config, generator=torch.Generator().manual_seed(0))
        >>> model.hidden(torch.tensor([[5, 0, 6]])).shape
        torch.Size([1, 3, 6])
        """
        known_ids(ids, self.config)
        segments = torch.zeros_like(ids) if segments is None else segments
        token_ids("segments", segments, self.config.n_segments)
        positions = learned(self.position_embedding.weight, torch.arange(ids.shape[1], device=ids.device))  # (T, D)
        x = self.embedding_norm(self.token_embedding(ids) + positions + self.segment_embedding(segments))
        for block in self.blocks:
            x = block(x, mask=over_keys(mask))
        return x  # type: ignore[no-any-return]
