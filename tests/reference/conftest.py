"""For all proofs: how a component is held against its authority, and seeded randomness."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"  # authorities are built from configurations: nothing may be fetched
os.environ["TRANSFORMERS_OFFLINE"] = "1"
os.environ["HF_DATASETS_OFFLINE"] = "1"

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pytest
import torch


@dataclass(frozen=True)
class Proof:
    """One component held against one authority; what passes is kept for the table of `docs/reference.md`."""

    component: Callable[..., object]
    against: str
    kept: list[tuple[str, object]]

    def equal(self, actual: object, expected: object) -> None:
        """Both are the same, to the last symbol: tokens, counts, orders."""
        assert actual == expected
        self._keep(0.0, 0.0)

    def close(self, actual: object, expected: object, *, within: float) -> None:
        """Both are arrays, tensors or numbers of one shape, apart by at most `within`.

        Deviation: the largest |actual - expected|, divided by the largest |expected| where that is above 1. Equal
        infinities are apart by 0; a NaN is infinitely far from everything.
        """
        deviation = apart(actual, expected)
        assert deviation <= within, f"apart by {deviation:.3g}, allowed {within:.3g}"
        self._keep(deviation, within)

    def _keep(self, deviation: float, within: float) -> None:
        name = f"{self.component.__module__}:{self.component.__qualname__}"
        kept = {"component": name, "against": self.against, "deviation": deviation, "within": within}
        self.kept.append(("proof", kept))


def apart(actual: object, expected: object) -> float:
    """How far two arrays, tensors or numbers are from each other, see `Proof.close`."""
    ours, theirs = (_array(values) for values in (actual, expected))
    assert ours.shape == theirs.shape, f"shape {ours.shape}, expected {theirs.shape}"
    if ours.size == 0:
        return 0.0
    with np.errstate(invalid="ignore"):
        distance = np.where(ours == theirs, 0.0, np.abs(ours - theirs))
    largest = np.max(np.abs(theirs), where=np.isfinite(theirs), initial=1.0)
    return float(np.nan_to_num(distance.max() / largest, nan=np.inf))


def _array(values: object) -> np.ndarray:
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu().numpy()
    return np.asarray(values, dtype=np.float64)


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Sizes are tiny: threads would cost more than they bring, and on a busy machine far more."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def proof(request: pytest.FixtureRequest) -> Callable[[Callable[..., object], str], Proof]:
    """`proof(component, "authority").close(ours, theirs, within=1e-12)`, or `.equal(ours, theirs)`."""
    return lambda component, against: Proof(component, against, request.node.user_properties)


@pytest.fixture
def rng() -> np.random.Generator:
    """NumPy's generator, seeded the same for every test."""
    return np.random.default_rng(3)


@pytest.fixture
def generator() -> torch.Generator:
    """Torch's generator, seeded the same for every test."""
    return torch.Generator().manual_seed(3)
