"""Building a tokenizer: from merges, or by training on a text. Not covered: texts too large for memory."""

from collections.abc import Sequence

from reference.checked import checked
from reference.tokenizer.consistency import ordinary_tokens
from reference.tokenizer.incremental import train_bpe_incremental
from reference.tokenizer.pretokenization import pretokenize
from reference.tokenizer.special import hold_special_tokens, split_special
from reference.tokenizer.tokenizer import Tokenizer
from reference.values import at_least


@checked
def tokenizer_from_merges(
    merges: Sequence[tuple[bytes, bytes]], special_tokens: list[str] | tuple[str, ...] = ()
) -> Tokenizer:
    """Number tokens in the usual order: bytes 0 to 255, then merges as learned, then special tokens as given.

    A special token that is also an ordinary one shares its id and takes no number.

    Source: Sennrich et al. 2016 (arXiv:1508.07909), section 3.2, on bytes as in Radford et al. 2019 (GPT-2).
    Departs from it: byte tokens are numbered by their value; GPT-2 has printable ones first.

    Args:
        merges: as `train_bpe` returns them.
        special_tokens: distinct and not empty.
    Raises:
        ValueError: merges or special tokens break a rule of `Tokenizer`.

    Cost: O(V) for V tokens.

    >>> tokenizer_from_merges([(b"u", b"g")], ["<s>"]).vocabulary[255:]
    (b'\\xff', b'ug', b'<s>')
    """
    hold_special_tokens(special_tokens)
    ordinary = ordinary_tokens(merges)
    seen = set(ordinary)
    special = [token.encode() for token in special_tokens if token.encode() not in seen]
    return Tokenizer((*ordinary, *special), tuple(merges), tuple(special_tokens))


@checked
def train_tokenizer(text: str, *, vocabulary_size: int, special_tokens: list[str] | tuple[str, ...] = ()) -> Tokenizer:
    """Train a tokenizer on a text: cut out special tokens, cut the rest into chunks, learn merges.

    Special tokens are not trained on, and no pair crosses one. Ids are in the order of `tokenizer_from_merges`, ties
    are decided as in `train_bpe`. An empty text gives no merges.

    Source: Radford et al. 2019, "Language Models are Unsupervised Multitask Learners" (GPT-2), section 2.2.
    Departs from it: ties are decided; special tokens are cut out of the text.

    Args:
        text: any text without lone surrogates.
        vocabulary_size: number of bytes, merges and special tokens together.
        special_tokens: distinct and not empty.
    Returns:
        A tokenizer of `vocabulary_size` tokens, or fewer when no pair is left or a special token is an ordinary one.
    Raises:
        ValueError: `vocabulary_size` is below 256 plus the number of special tokens, a special token is empty or
            repeated, or the text or a special token has a lone surrogate.

    Cost: O(N log N) time, O(N) memory, for N bytes.

    >>> train_tokenizer("hug hug<s>hug", vocabulary_size=259, special_tokens=["<s>"]).vocabulary[256:]
    (b'ug', b'hug', b'<s>')
    """
    n_reserved = 256 + len(special_tokens)
    at_least("vocabulary_size", vocabulary_size, n_reserved)
    ordinary = [part for part, special in split_special(text, special_tokens) if not special]
    chunks = [chunk.encode() for part in ordinary for chunk in pretokenize(part)]
    merges = train_bpe_incremental(chunks, n_merges=vocabulary_size - n_reserved)
    return tokenizer_from_merges(merges, special_tokens)
