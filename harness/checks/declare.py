"""How checks.py declares a check: the `check` decorator, which leaves the declaration on the test function.

Not covered: whether the declarations of one file fit together (`collection`).
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import pytest

from harness.records import CheckSpec, Text, Visibility

PREFIX = "test_"
DECLARED = "bareme_check"  # the attribute; a pytest mark would be refused by projects that allow their own marks only
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

    Raises:
        ValueError: a title is empty, or the points or the visibility are impossible.
    """
    if not (fr.strip() and en.strip()):
        raise ValueError("a check needs a title in French and in English: fr=, en=")
    if not 0 <= points < float("inf"):
        raise ValueError(f"points={points!r} is not a number from 0")
    if visibility not in set(Visibility):
        raise ValueError(f"visibility={visibility!r} is not one of {', '.join(Visibility)}")
    if isinstance(needs, str):
        raise ValueError(f"needs={needs!r} is not a list: write needs=[{needs!r}]")  # noqa: TRY004  # one kind of error

    def declare(test: TestT) -> TestT:
        spec = CheckSpec(
            test.__name__.removeprefix(PREFIX), Text(fr, en), float(points), Visibility(visibility), tuple(needs)
        )
        setattr(test, DECLARED, spec)
        return test

    return declare


def spec_of(item: pytest.Item) -> CheckSpec | None:
    """What the check that `item` belongs to declares; None for a test that is no check."""
    spec: CheckSpec | None = getattr(getattr(item, "function", None), DECLARED, None)
    return spec
