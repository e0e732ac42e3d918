"""How checks.py declares a check: the `check` decorator, which is an ordinary pytest mark.

Not covered: whether the declarations of one file fit together (`collection`).
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import pytest

from harness.records import CheckSpec, Text, Visibility

MARK = "check"
PREFIX = "test_"
TestT = TypeVar("TestT", bound=Callable[..., Any])


def check(
    *, points: float, fr: str, en: str, visibility: str = "public", needs: Sequence[str] = ()
) -> Callable[[TestT], TestT]:
    """Declare a test function as one check of the assignment; its id is its name without `test_`.

    Args:
        points: what passing it earns, all or nothing.
        fr, en: its title, as students read it.
        visibility: "public", "hidden" (students see the outcome only) or "after_due".
        needs: ids of checks further up in the file without which this one says nothing.
    """
    mark = pytest.mark.check(points=points, fr=fr, en=en, visibility=visibility, needs=tuple(needs))

    def declare(test: TestT) -> TestT:
        mark(test)  # a mark is put on the function itself
        return test

    return declare


def spec_of(name: str, mark: pytest.Mark) -> CheckSpec:
    """What `mark` on the test function called `name` declares.

    Raises:
        ValueError: a title is empty, or the points or the visibility are impossible.
    """
    declared = mark.kwargs
    if not (declared["fr"].strip() and declared["en"].strip()):
        raise ValueError("needs a title in French and in English (fr=, en=)")
    if not declared["points"] >= 0:
        raise ValueError(f"has points={declared['points']!r}, which is not a number >= 0")
    if declared["visibility"] not in set(Visibility):
        raise ValueError(f"has visibility={declared['visibility']!r}, not one of {', '.join(Visibility)}")
    return CheckSpec(
        id=name.removeprefix(PREFIX),
        title=Text(fr=declared["fr"], en=declared["en"]),
        points=float(declared["points"]),
        visibility=Visibility(declared["visibility"]),
        needs=declared["needs"],
    )
