"""Models whose score is known beforehand, run through the whole path before anything is marked: a tenth of a second.

Not covered here, but in the tests: every other liar, the oracle's n-grams, transformers' GPT-2.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from harness.errors import InfrastructureError
from harness.metrics.contract import Refused
from harness.metrics.perplexity.rules import Rules
from harness.metrics.perplexity.runs import of_documents, scorer_of
from harness.metrics.perplexity.tokenizers import Bytes

DOCUMENTS = ("Trois caractères à deux octets…\n", "and then four bytes: 🗼.\n")
UNIFORM = 8.0  # bits per byte, exactly
SEED = 20  # any: the controls' audits need no secrecy


class LocalModel:
    """A function of the grader's own, asked as if it were in a kernel."""

    def __init__(self, function: Callable[[list[int]], Any]) -> None:
        """`function` takes ids."""
        self._function = function

    def __call__(self, *args: Any) -> Any:
        """Call it once."""
        return self._function(*args)

    def map(self, arguments: Iterable[Any]) -> list[Any]:
        """Call it for each element."""
        return [self._function(ids) for ids in arguments]


def check() -> None:
    """Run the controls.

    Raises:
        InfrastructureError: one does not come out.
        ConfigurationError: lm-eval is missing.
    """
    found = _bits(_uniform)
    if found != UNIFORM:
        raise _broken(f"the uniform model of bytes has {found!r} bits per byte instead of {UNIFORM}")
    for liar, reason in ((_unnormalised, "unnormalised"), (_looks_ahead, "looks_ahead")):
        try:
            found = _bits(liar)
        except Refused as refusal:
            if refusal.reason != reason:
                raise _broken(f"a liar ({reason}) is refused as {refusal.reason}") from refusal
        else:
            raise _broken(f"a liar ({reason}) is given {found} bits per byte")


def _bits(function: Callable[[list[int]], Any]) -> float:
    """Bits per byte by lm-eval and by our own sum, which agree."""
    rng = np.random.default_rng(SEED)
    scorer = scorer_of(LocalModel(function), Bytes(), Rules(kind="log_probabilities", context=16), rng)
    return of_documents(scorer, DOCUMENTS, rng=rng).value


def _uniform(ids: list[int]) -> Any:
    return np.full((len(ids), 256), -np.log(256))


def _unnormalised(ids: list[int]) -> Any:
    return _uniform(ids) / 2


def _looks_ahead(ids: list[int]) -> Any:
    """Each row is sure of the last id of the whole context."""
    rows = np.full((len(ids), 256), -20.0)
    rows[:, ids[-1]] = np.log1p(-255 * np.exp(-20.0))
    return rows


def _broken(what: str) -> InfrastructureError:
    return InfrastructureError(
        f"a control of perplexity does not come out: {what}", remedy="Mark nothing with it; check versions of lm-eval."
    )
