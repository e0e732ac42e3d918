"""A fork server of its own for each test."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from harness.sandbox.warm.owner import ForkServer

sys.path.append(str(Path(__file__).parent / "shared"))  # tests have no packages
from family import NOTHING, OTHERS, Family, warmth


@pytest.fixture
def begun() -> Iterator[Callable[..., Family]]:
    """A fork server that is being started; what it prepares can be given."""
    families = []
    OTHERS.update(psutil.Process().children())

    def begin(prepare: str = NOTHING) -> Family:
        families.append(Family(ForkServer(warmth(prepare), secrets=())))
        return families[-1]

    yield begin
    for family in families:
        family.close()


@pytest.fixture
def family(begun: Callable[..., Family]) -> Family:
    """A fork server that can be asked for programs."""
    found = begun()
    found.server.wait()
    return found
