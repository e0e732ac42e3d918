"""`@checked`: the shapes and types written in a signature hold at every call, or the call raises.

Covers what a signature can say (type, dtype, shape, equal dimensions; of a list's items, one drawn at random). Not
covered: rules about values, such as "rows sum to 1"; each function checks those itself and raises ValueError.
"""

import random
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from beartype import beartype
from jaxtyping import jaxtyped

P = ParamSpec("P")
R = TypeVar("R")


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """Hold arguments and result of `function` against its annotations, and leave the global `random` as it was.

    Raises:
        TypeError: at the call, quoting the annotation and what came instead.

    >>> @checked
    ... def twice(count: int) -> int:
    ...     return 2 * count
    >>> twice(21)
    42
    """
    enforced: Callable[P, R] = jaxtyped(typechecker=beartype)(function)

    @wraps(function)
    def held(*args: P.args, **kwargs: P.kwargs) -> R:
        state = random.getstate()  # beartype draws the item of a list that it looks at
        try:
            return enforced(*args, **kwargs)
        finally:
            random.setstate(state)

    held.__checked__ = True  # type: ignore[attr-defined]  # so that a test can tell
    return held
