"""What makes a vocabulary, merges and special tokens one tokenizer, and an id one of its own.

Not covered: whether training could learn such merges.
"""

from collections.abc import Iterable
from typing import Any

from reference.tokenizer.special import hold_special_tokens


def hold_consistent(
    vocabulary: tuple[bytes, ...], merges: tuple[tuple[bytes, bytes], ...], special_tokens: tuple[str, ...]
) -> None:
    """Hold the fields of a tokenizer to the rules that `Tokenizer` states.

    Raises:
        TypeError: a field is not a tuple of what its annotation says.
        ValueError: fields do not fit together; the first thing that does not is quoted.

    >>> hold_consistent(tuple(bytes([value]) for value in range(255)), (), ())
    Traceback (most recent call last):
    ValueError: vocabulary: expected the token b'\\xff', got none
    """
    _hold_tuple("vocabulary", vocabulary, bytes)
    _hold_tuple("merges", merges, tuple)
    for pair in merges:
        _hold_tuple("merges", pair, bytes)
    _hold_tuple("special_tokens", special_tokens, str)
    hold_special_tokens(special_tokens)
    _hold_distinct("special_tokens", special_tokens)
    _hold_distinct("vocabulary", vocabulary)
    expected = [*ordinary_tokens(merges), *(token.encode() for token in special_tokens)]
    _hold_same(expected, vocabulary)


def ordinary_tokens(merges: Iterable[tuple[bytes, bytes]]) -> list[bytes]:
    """The 256 single bytes, then what each merge makes.

    Raises:
        ValueError: a merge is not of two tokens that come before it, or makes a token that does.

    >>> ordinary_tokens([(b"u", b"g"), (b"h", b"ug")])[256:]
    [b'ug', b'hug']
    """
    tokens = {bytes([value]): None for value in range(256)}
    for pair in merges:
        if len(pair) != 2:
            raise ValueError(f"merges: expected pairs, got {pair!r}")
        left, right = pair
        if left not in tokens or right not in tokens:
            raise ValueError(f"merges: expected two bytes or tokens made before, got {pair!r}")
        if left + right in tokens:
            raise ValueError(f"merges: expected each token to be made once, got {pair!r} again")
        tokens[left + right] = None
    return list(tokens)


def _hold_same(expected: Iterable[bytes], vocabulary: Iterable[bytes]) -> None:
    wanted, there = dict.fromkeys(expected), dict.fromkeys(vocabulary)  # in order, so that the first is quoted
    for token in wanted:
        if token not in there:
            raise ValueError(f"vocabulary: expected the token {token!r}, got none")
    for token in there:
        if token not in wanted:
            raise ValueError(f"vocabulary: expected bytes, merges and special tokens, got {token!r}")


def _hold_tuple(name: str, values: Any, item: type) -> None:
    if not isinstance(values, tuple):
        raise TypeError(f"{name}: expected a tuple, got {type(values).__name__}")
    for value in values:
        if not isinstance(value, item):
            raise TypeError(f"{name}: expected {item.__name__} in it, got {type(value).__name__}")


def _hold_distinct(name: str, values: Iterable[object]) -> None:
    seen: set[object] = set()
    for value in values:
        if value in seen:
            raise ValueError(f"{name}: expected each entry once, got {value!r} again")
        seen.add(value)
