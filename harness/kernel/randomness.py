"""Makes a notebook's randomness repeatable, inside the kernel: one public seed for the cells, one for each call.

Seeds the global generators of `random`, NumPy and torch, the latter two only once the notebook has imported them.
Not covered: generators that ask the operating system (`numpy.random.default_rng()` without a seed, `secrets`, `uuid4`).
"""

import random
import sys
from collections.abc import Callable
from types import ModuleType

NUMPY_SEEDS = 2**32  # NumPy's global generator takes no larger seed

_seed_python = random.seed
_current = 0  # what a library that is imported from now on is seeded with


def seed(value: int) -> None:
    """Seed every global generator there is now, and each one that is imported later."""
    global _current  # noqa: PLW0603  (the generators are global too)
    _current = value
    _seed_python(value)
    for name, seed_library in AFTER_IMPORT.items():
        if name in sys.modules:
            seed_library(sys.modules[name])


def _seed_numpy(numpy: ModuleType) -> None:
    numpy.random.seed(_current % NUMPY_SEEDS)


def _seed_torch(torch: ModuleType) -> None:
    if torch.backends.cuda.is_built():
        torch.manual_seed(_current)
    else:
        torch.default_generator.manual_seed(_current)  # all there is; the other way looks for GPUs, at 0.3 ms a call


AFTER_IMPORT: dict[str, Callable[[ModuleType], None]] = {"numpy": _seed_numpy, "torch": _seed_torch}
