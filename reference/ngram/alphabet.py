"""The 40 symbols of a first name, and how a name is cut into n-grams. Not covered: counting them."""

from string import ascii_lowercase

from reference.checked import checked

BOUNDARY = "."  # stands before and after every name
ALPHABET = BOUNDARY + ascii_lowercase + "-'" + "àâçèéêëîïôü"
INDEX = {symbol: index for index, symbol in enumerate(ALPHABET)}


@checked
def ngrams(name: str, *, order: int) -> list[str]:
    """Cut `name` into its n-grams of `order` symbols, first to last.

    The name is preceded by order - 1 boundaries and followed by one, so that every symbol, the final boundary
    included, is the last of exactly one n-gram.
    Empty name: one n-gram, made of boundaries only.

    Source: Jurafsky and Martin, Speech and Language Processing (3rd edition draft), section 3.1.
    Departs from it: the boundary before and the boundary after a sequence are the same symbol.

    Args:
        name: symbols of `ALPHABET` other than the boundary.
        order: 1 or more.
    Returns:
        len(name) + 1 strings of `order` symbols.
    Raises:
        ValueError: `name` holds another symbol, or `order` is below 1.

    Cost: O(order · len(name)).

    >>> ngrams("éa", order=3)
    ['..é', '.éa', 'éa.']
    >>> ngrams("", order=2)
    ['..']
    """
    if order < 1:
        raise ValueError(f"order: expected 1 or more, got {order}")
    for position, symbol in enumerate(name):
        if symbol == BOUNDARY or symbol not in INDEX:
            raise ValueError(f"name {name!r}: expected symbols of {ALPHABET[1:]!r}, got {symbol!r} at {position}")
    wrapped = BOUNDARY * (order - 1) + name + BOUNDARY
    return [wrapped[start : start + order] for start in range(len(name) + 1)]


@checked
def transitions(name: str) -> list[tuple[str, str]]:
    """The bigrams of `name` as pairs (symbol, next symbol), from the initial boundary to the final one.

    Empty name: the single pair of two boundaries.

    Source: Jurafsky and Martin, Speech and Language Processing (3rd edition draft), section 3.1.

    Args:
        name: symbols of `ALPHABET` other than the boundary.
    Returns:
        len(name) + 1 pairs.
    Raises:
        ValueError: `name` holds a symbol that is not in the alphabet, or a boundary.

    Cost: O(len(name)).

    >>> transitions("éa")
    [('.', 'é'), ('é', 'a'), ('a', '.')]
    """
    return [(pair[0], pair[1]) for pair in ngrams(name, order=2)]
