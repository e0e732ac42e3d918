"""N-grams of any tokens (characters of a string, words of a list): padding, unknown words, sparse counts.

Not covered: cutting a text into words, and counting characters fast (see `fast_counts`).
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from typing import TypeVar

from reference.checked import checked
from reference.values import at_least

Text = TypeVar("Text", bound=Sequence[Hashable])


@checked
def ngram_counts(tokens: Sequence[Hashable], *, order: int) -> Counter[tuple[Hashable, ...]]:
    """Count every run of `order` consecutive tokens of one text.

    A run that never occurs has no key. The text is taken as it is, see `padded`. A text of fewer than `order` tokens,
    the empty one included, has no n-gram. Several texts: add their counters, then no n-gram crosses from one to the
    next.

    Source: Jurafsky and Martin, Speech and Language Processing (3rd edition draft), section 3.1.

    Args:
        tokens: a string, or a sequence of words, numbers or whatever can be a key.
        order: 1 or more.
    Returns:
        N-gram -> count, 1 or more, in the order of first occurrence; they sum to len(tokens) - order + 1.
    Raises:
        ValueError: `order` is below 1.

    Cost: O(order · N) for N tokens.

    >>> ngram_counts("aaab", order=2)
    Counter({('a', 'a'): 2, ('a', 'b'): 1})
    >>> ngram_counts("to be or not to be".split(), order=2)["to", "be"]
    2
    >>> ngram_counts("ab", order=3)                  # the context is longer than the text
    Counter()
    """
    at_least("order", order, 1)
    return Counter(tuple(tokens[start : start + order]) for start in range(len(tokens) - order + 1))


@checked
def padded(tokens: Sequence[Hashable], *, order: int, start: Hashable, end: Hashable) -> list[Hashable]:
    """Put order - 1 start symbols before a text and one end symbol after it.

    Then every token, the end included, is the last of exactly one n-gram, and the start symbol is the last of none,
    unless it is the same as the end, or part of the text: symbols within `tokens` stay as they are. Empty text: one
    n-gram, start symbols and the end.

    Source: Jurafsky and Martin, Speech and Language Processing (3rd edition draft), section 3.1.

    Args:
        tokens: one text.
        order: 1 or more.
        start: what stands for "nothing before", may equal `end`.
        end: what ends a text; belongs to the vocabulary, since it is predicted.
    Returns:
        len(tokens) + order symbols.
    Raises:
        ValueError: `order` is below 1.

    Cost: O(N + order) for N tokens.

    >>> padded("ab", order=3, start="<", end=">")
    ['<', '<', 'a', 'b', '>']
    >>> padded([], order=1, start="<", end=">")
    ['>']
    """
    at_least("order", order, 1)
    return [start] * (order - 1) + [*tokens, end]


@checked
def counts_by_order(
    texts: list[Text], *, order: int, boundary: tuple[Hashable, Hashable] | None = None
) -> list[Counter[tuple[Hashable, ...]]]:
    """Count the 1-grams, 2-grams, …, up to the n-grams of n = `order`, as the smoothed models want them.

    No n-gram crosses from one text to the next. Without a boundary the first tokens of a text end short n-grams only.
    With one, each text is padded anew for each order, see `padded`, so that every token ends one n-gram of each order.
    No text, or empty ones without a boundary: empty counters.

    Source: Chen and Goodman 1999 (Computer Speech and Language 13), section 2, for which counts the models need;
    Jurafsky and Martin, Speech and Language Processing (3rd edition draft), section 3.1, for the boundary.

    Args:
        texts: each a string or a sequence of tokens; a text that occurs twice counts twice.
        order: n, 1 or more.
        boundary: start and end symbol, or None for texts as they are.
    Returns:
        n counters; entry m - 1 has the m-grams.
    Raises:
        ValueError: `order` is below 1.

    Cost: O(n² · N) for N tokens in all.

    >>> counts_by_order(["ab", "b"], order=2)
    [Counter({('b',): 2, ('a',): 1}), Counter({('a', 'b'): 1})]
    >>> counts_by_order(["ab"], order=2, boundary=("<", ">"))[1]
    Counter({('<', 'a'): 1, ('a', 'b'): 1, ('b', '>'): 1})
    """
    at_least("order", order, 1)
    counters: list[Counter[tuple[Hashable, ...]]] = []
    for shorter in range(1, order + 1):
        counter: Counter[tuple[Hashable, ...]] = Counter()
        for text in texts:
            tokens = text if boundary is None else padded(text, order=shorter, start=boundary[0], end=boundary[1])
            counter.update(ngram_counts(tokens, order=shorter))
        counters.append(counter)
    return counters


@checked
def with_unknown(tokens: Iterable[Hashable], *, vocabulary: Sequence[Hashable], unknown: Hashable) -> list[Hashable]:
    """Replace every token that is not in the vocabulary by the one that stands for all unknown ones.

    To be done to what a model is trained on and to what it is asked about alike: a model itself refuses to predict a
    token outside its vocabulary.

    Source: Jurafsky and Martin, Speech and Language Processing (3rd edition drafts until 2023), chapter 3 (unknown
    words).

    Args:
        tokens: one text.
        vocabulary: the known tokens, `unknown` among them.
        unknown: such as "<unk>".
    Returns:
        As many tokens as came in.
    Raises:
        ValueError: `unknown` is not in the vocabulary.

    Cost: O(N + V) for N tokens and a vocabulary of V.

    >>> with_unknown(["the", "okapi"], vocabulary=["the", "<unk>"], unknown="<unk>")
    ['the', '<unk>']
    """
    known = set(vocabulary)
    if unknown not in known:
        raise ValueError(f"unknown: expected a token of the vocabulary, got {unknown!r}")
    return [token if token in known else unknown for token in tokens]
