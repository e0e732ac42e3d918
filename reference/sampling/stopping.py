"""What ends a text: tokens and sequences of tokens. Not covered: strings that cut through tokens, time limits."""

from collections.abc import Sequence
from dataclasses import dataclass

from reference import values
from reference.checked import checked


@dataclass(frozen=True)
class Stop:
    """Where generation ends, beside its maximal length; by default nowhere.

    A text ends as soon as its last new token is among `ids`, or its last new tokens are one of `sequences`. Only new
    tokens count: a sequence that begins in the prompt does not match. What stopped it is part of the text.

    Source: Sutskever, Vinyals and Le 2014 (arXiv:1409.3215), section 2 (end-of-sentence symbol).
    Departs from it: several symbols, and sequences of them.

    Raises:
        TypeError: something else than tuples of integers.
        ValueError: a sequence is empty, or a token negative.

    >>> Stop(ids=(2,), sequences=((7, 8),)).reached([7, 7, 8])
    True
    """

    ids: tuple[int, ...] = ()
    sequences: tuple[tuple[int, ...], ...] = ()

    def __post_init__(self) -> None:
        for tokens in (self.ids, *(self.sequences if isinstance(self.sequences, tuple) else [None])):
            if not isinstance(tokens, tuple) or not all(isinstance(token, int) for token in tokens):
                raise TypeError(f"stop: expected tuples of integers, got {self.ids!r} and {self.sequences!r}")
        if not all(self.sequences):
            raise ValueError("sequences: expected one token or more in each, got an empty one")
        if negative := [token for token in self._tokens() if token < 0]:
            raise ValueError(f"stop: expected token ids of 0 or more, got {negative[0]}")

    @checked
    def reached(self, tokens: Sequence[int]) -> bool:
        """Whether a text that has `tokens` since its prompt ends here.

        Args:
            tokens: all new ones, the last one just chosen; empty: nothing is reached.
        Raises:
            TypeError: a wrong type or shape.

        Cost: O(S) for S tokens in all sequences.

        >>> stop = Stop(sequences=((7, 8),))
        >>> stop.reached([8]), stop.reached([7, 8, 9]), stop.reached([])
        (False, False, False)
        """
        ends = [*((token,) for token in self.ids), *self.sequences]
        return any(tuple(tokens[-len(end) :]) == end for end in ends)

    @checked
    def require_known(self, n_tokens: int) -> None:
        """Hold every token to an id of the vocabulary, since another could never stop anything.

        Args:
            n_tokens: V.
        Raises:
            ValueError: a token is V or more.

        Cost: O(S) for S tokens in all.

        >>> Stop(ids=(7,)).require_known(7)
        Traceback (most recent call last):
        ValueError: stop: expected token ids from 0 to 6, got 7
        """
        values.known_ids("stop", self._tokens(), n_tokens)

    def _tokens(self) -> list[int]:
        return [*self.ids, *(token for sequence in self.sequences for token in sequence)]
