"""Training of byte-level BPE, as it is defined: count, fuse, repeat. Not covered: speed (see `incremental`)."""

from collections import Counter
from collections.abc import Sequence

from reference.checked import checked
from reference.tokenizer.pairs import learn_merges


@checked
def train_bpe(chunks: Sequence[bytes], *, n_merges: int) -> list[tuple[bytes, bytes]]:
    """Learn up to `n_merges` byte-pair merges, in order of creation.

    Each round counts adjacent pairs inside every chunk, takes the most frequent one and fuses it left to right
    without overlap: "aaa" becomes "aa", "a". Every position counts: "aaa" has the pair ("a", "a") twice.
    Ties: the lexicographically greatest pair of byte strings wins; the left strings are compared first, and a string
    is greater than its own beginnings.
    A pair that occurs once is still fused. Empty chunks and chunks of one byte have no pair.

    Source: Sennrich et al. 2016 (arXiv:1508.07909), algorithm 1, on bytes as in Radford et al. 2019 (GPT-2).
    Departs from it: ties are decided, not left to dictionary order; no end-of-word marker.

    Args:
        chunks: pre-tokens as UTF-8 bytes; pairs never cross a chunk boundary.
        n_merges: vocabulary size minus 256 byte tokens minus special tokens.
    Returns:
        Merges as (left, right); fewer than `n_merges` when no pair is left.
    Raises:
        ValueError: `n_merges` is negative.

    Cost: O(M·N) time, O(N) memory, for M merges over N bytes of distinct chunks.

    >>> train_bpe([b"ab", b"ba"], n_merges=1)       # one each: the tie rule decides
    [(b'b', b'a')]
    >>> train_bpe([b"aaa"], n_merges=9)             # "aa", "a", then nothing is left to fuse
    [(b'a', b'a'), (b'aa', b'a')]
    """
    counts = Counter(chunks)
    return learn_merges({_single_bytes(chunk): count for chunk, count in counts.items()}, n_merges)


def _single_bytes(chunk: bytes) -> tuple[bytes, ...]:
    return tuple(bytes([value]) for value in chunk)
