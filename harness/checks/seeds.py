"""Generators that depend on the run's secret seed and on what they are for, and on nothing else.

The order of checks, which of them run, and the submission change nothing; no seed can be computed from another.
"""

import hashlib
import hmac
import random
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def derived(seed: int, *labels: str) -> int:
    """A seed of 256 bits for what `labels` name: HMAC-SHA-256 under the run's seed.

    >>> derived(1, "ngram", "bigram_counts") == derived(1, "ngram", "trigram_counts")
    False
    """
    message = "\0".join(labels).encode()
    return int.from_bytes(hmac.digest(str(seed).encode(), message, hashlib.sha256), "big")


def numpy_generator(seed: int, *labels: str) -> np.random.Generator:
    """NumPy's generator for what `labels` name."""
    return np.random.default_rng(derived(seed, *labels))


def torch_generator(seed: int, *labels: str) -> "torch.Generator":
    """torch's generator, on the CPU, for what `labels` name."""
    import torch  # here: most checks need none, and it takes a second to import

    return torch.Generator().manual_seed(derived(seed, *labels) % 2**63)


def python_generator(seed: int, *labels: str) -> random.Random:
    """Python's generator for what `labels` name."""
    return random.Random(derived(seed, *labels))  # noqa: S311  # reproducible on purpose, secret by its seed
