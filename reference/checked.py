"""`@checked`: the shapes and types written in a signature hold at every call, or the call raises.

Covers what a signature can say (type, dtype, shape, equal dimensions). Not covered: rules about values, such as
"rows sum to 1"; each function checks those itself and raises ValueError.
"""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from beartype import beartype
from jaxtyping import jaxtyped

P = ParamSpec("P")
R = TypeVar("R")


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """Hold arguments and result of `function` against its annotations.

    Raises:
        TypeError: at the call, quoting the annotation and what came instead.

    >>> @checked
    ... def twice(count: int) -> int:
    ...     return 2 * count
    >>> twice(21)
    42
    """
    enforced: Callable[P, R] = jaxtyped(typechecker=beartype)(function)
    return enforced
