"""Counts of n-grams, rearranged: what followed each context how often. Not covered: probabilities.

Covers also what counts must be before a model uses them.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

Ngram = tuple[Hashable, ...]


@dataclass(frozen=True)
class Followers:
    """The tokens that followed one context."""

    counts: dict[Hashable, int]  # token -> how often, 1 or more
    total: int  # sum of the counts

    def share(self, token: Hashable) -> float:
        """Maximum-likelihood estimate of the token's probability after this context."""
        return self.counts.get(token, 0) / self.total


def by_context(counts: Mapping[Ngram, int]) -> dict[Ngram, Followers]:
    """Context -> what followed it; a context that nothing followed has no key."""
    found: dict[Ngram, dict[Hashable, int]] = {}
    for ngram, count in counts.items():
        if count:
            found.setdefault(ngram[:-1], {})[ngram[-1]] = count
    return {context: Followers(followers, sum(followers.values())) for context, followers in found.items()}


def require_counts(counts: Sequence[Mapping[Ngram, int]], vocabulary: Sequence[Hashable]) -> None:
    """Hold `counts` to n-grams of 1, 2, … tokens that end in a token of the vocabulary, none of them negative.

    Raises:
        ValueError: no order at all, an n-gram of another length or that ends otherwise, or a negative count.
    """
    if not counts:
        raise ValueError("counts: expected those of 1-grams at least, got none")
    known = set(vocabulary)
    for order, counter in enumerate(counts, 1):
        for ngram, count in counter.items():
            if len(ngram) != order:
                raise ValueError(f"counts: expected {order}-grams in entry {order - 1}, got {ngram!r}")
            if ngram[-1] not in known:
                raise ValueError(f"counts: expected n-grams that end in the vocabulary, got {ngram!r}")
            if count < 0:
                raise ValueError(f"counts: expected 0 or more, got {count} for {ngram!r}")
