"""Numbers for the samplers of this package: bulk uniforms, rows of distributions checked and accumulated."""

from collections.abc import Iterator
from itertools import accumulate

import numpy as np

from harness.errors import ConfigurationError

BLOCK = 4096  # uniforms drawn at a time: one by one, drawing would take longer than using them
ROUNDING = 1e-9  # by which given probabilities may miss 1: decimal fractions of a few digits add up that well


def uniforms(rng: np.random.Generator) -> Iterator[float]:
    """Endless numbers from [0, 1)."""
    while True:
        yield from rng.random(BLOCK).tolist()


def thresholds(probabilities: list[float]) -> list[float]:
    """Where `bisect_right(thresholds, u)` changes its outcome; an outcome of probability 0 never comes.

    The last outcome that is possible takes all that rounding leaves.
    """
    last = max(index for index, probability in enumerate(probabilities) if probability > 0)
    return list(accumulate(probabilities))[:last]


def require_size(documents: int, length: int) -> None:
    """Hold the arguments of `sample` to at least one document and one unit.

    Raises:
        ConfigurationError: one of them is below 1.
    """
    if documents < 1 or length < 1:
        raise ConfigurationError(
            f"a source is asked for documents={documents}, length={length}", remedy="Ask for one or more of each."
        )
