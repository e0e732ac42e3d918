"""Transition tables that several tests share."""

import numpy as np
import pytest

from reference.ngram import ALPHABET


@pytest.fixture
def table() -> np.ndarray:
    """A random table over the whole alphabet with about a third of its transitions impossible."""
    generator = np.random.default_rng(11)
    weights: np.ndarray = generator.random((len(ALPHABET), len(ALPHABET))) * (generator.random((40, 40)) < 0.65)
    weights /= weights.sum(axis=1, keepdims=True)
    return weights


@pytest.fixture
def small_table() -> np.ndarray:
    """Only ".", "a" and "é" are reached, so all names can be listed one by one."""
    rows = np.zeros((40, 40))
    rows[:, [0, 1, ALPHABET.index("é")]] = [0.5, 0.2, 0.3]
    rows[1, [0, 1, ALPHABET.index("é")]] = [0.1, 0.6, 0.3]
    return rows
