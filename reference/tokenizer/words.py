"""Word-level BPE as textbooks show it: letters of counted words are fused. Not covered: bytes, word boundaries."""

from collections.abc import Collection, Mapping, Sequence

from reference.checked import checked
from reference.tokenizer.pairs import fuse, learn_merges
from reference.values import at_least


@checked
def train_word_bpe(word_counts: Mapping[str, int], *, n_merges: int) -> list[tuple[str, str]]:
    """Learn up to `n_merges` merges of letters from words and how often each occurs.

    Each round counts adjacent pairs inside every word, times the word's count, takes the most frequent one and fuses
    it left to right without overlap.
    Ties: the lexicographically greatest pair of strings wins, compared by code point, the left strings first.
    No words, an empty word and a word of one letter have no pair.

    Source: Sennrich et al. 2016 (arXiv:1508.07909), algorithm 1.
    Departs from it: ties are decided, not left to dictionary order; no end-of-word marker.

    Args:
        word_counts: how often each word occurs, 1 or more.
        n_merges: how many merges to learn.
    Returns:
        Merges as (left, right); fewer than `n_merges` when no pair is left.
    Raises:
        ValueError: `n_merges` is negative, or a count is below 1.

    Cost: O(M·N) time, O(N) memory, for M merges over N letters of distinct words.

    >>> train_word_bpe({"hug": 10, "pug": 5, "pun": 12, "bun": 4, "hugs": 5}, n_merges=3)   # 20, 16 and 15 times
    [('u', 'g'), ('u', 'n'), ('h', 'ug')]
    """
    for word, count in word_counts.items():
        at_least(f"word_counts[{word!r}]", count, 1)
    return learn_merges({tuple(word): count for word, count in word_counts.items()}, n_merges)


@checked
def encode_word(
    word: str, merges: Sequence[tuple[str, str]], *, letters: Collection[str], unknown: str = "[UNK]"
) -> list[str]:
    """Split a word into letters and apply the merges in the order in which they were learned.

    A letter that training has not seen becomes `unknown`, one for each such letter; `unknown` is never fused.
    The empty word has no tokens.

    Source: Sennrich et al. 2016 (arXiv:1508.07909), section 3.2.
    Departs from it: no end-of-word marker.

    Args:
        word: the word to split.
        merges: as `train_word_bpe` returns them.
        letters: the letters that training has seen.
        unknown: stands for a letter that is not among them; longer than a letter, and not the left or right of a merge.
    Returns:
        The tokens of the word, in order.
    Raises:
        ValueError: `unknown` is a single letter or empty, or a merge names it.

    Cost: O(M·N) for M merges and N letters of the word.

    >>> encode_word("thug", [("u", "g"), ("h", "ug")], letters="hugs")
    ['[UNK]', 'hug']
    """
    if len(unknown) < 2 or any(unknown in pair for pair in merges):
        raise ValueError(f"unknown: expected two letters or more that no merge names, got {unknown!r}")
    symbols = tuple(letter if letter in letters else unknown for letter in word)
    for pair in merges:
        symbols = fuse(symbols, pair)
    return list(symbols)
