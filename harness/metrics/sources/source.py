"""What every source offers, and the floor that follows from it."""

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np


class Source(Protocol):
    """A distribution over documents that can be drawn from and whose probabilities are known exactly.

    Documents of one length are a *prefix code*: none is the beginning of another. Together with a tokenizer whose
    tokens' texts, put together, are the text, this makes the probabilities that any model gives to the documents add
    up to 1 at most (see `alarm`).
    """

    def sample(self, rng: np.random.Generator, *, documents: int, length: int) -> list[str]:
        """Draw independent documents, each of exactly `length` units of the source (symbols, or sentences).

        Raises:
            ConfigurationError: `documents` or `length` is not positive.
        """

    def log_probability(self, document: str) -> float:
        """ln p(document) among all documents of its length, as `sample` draws them; -inf for what it never draws."""


def bits_per_byte(source: Source, documents: Sequence[str]) -> float:
    """The floor: the source's own cross-entropy on `documents`, in bits per UTF-8 byte of the text.

    No model reaches less in expectation over the text. On one text a model can by luck, by a few nats in all.

    Raises:
        ValueError: there is no text, or `source` never draws it.
    """
    n_bytes = sum(len(document.encode("utf-8")) for document in documents)
    nats = -math.fsum(source.log_probability(document) for document in documents)
    if not n_bytes or not math.isfinite(nats):
        raise ValueError(f"documents: expected text of this source, got {n_bytes} bytes with -ln p = {nats}")
    return nats / math.log(2) / n_bytes
