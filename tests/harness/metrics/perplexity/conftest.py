"""Functions that stand for a notebook's: called in this process, as hostile as a test wants them."""

from collections.abc import Callable

import numpy as np
import pytest

from harness.metrics.contract import Measurement
from harness.metrics.perplexity import Bytes, measure
from harness.metrics.perplexity.controls import LocalModel

SENTENCE = "the cat sat on the mat and the dog ran after the cat in the sun. "


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(4)


@pytest.fixture
def asked() -> type[LocalModel]:
    return LocalModel


@pytest.fixture
def words(rng: np.random.Generator) -> str:
    """A text of 1,500 bytes that repeats words, not itself."""
    vocabulary = np.array(SENTENCE.split())
    return " ".join(rng.choice(vocabulary, size=380))[:1500]


@pytest.fixture
def bits(rng: np.random.Generator) -> Callable[..., Measurement]:
    """The headline of a model of bytes."""

    def measured(function: Callable[..., object], documents: object, **options: object) -> Measurement:
        given = {"tokenizer": Bytes(), "kind": "probabilities", "context": 64} | options
        return measure(LocalModel(function), rng=rng, documents=documents, **given)[0]

    return measured
