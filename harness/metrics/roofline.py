"""The least time that work can take on a machine: from its operations, its bytes and the machine's peaks.

Covers the floor and a quick measurement of peaks, for what `speed` holds back until a person has looked. Not covered:
counting the operations of a function, which its assignment does.

Source: Williams, Waterman and Patterson 2009, Roofline: An Insightful Visual Performance Model for Multicore
Architectures, Communications of the ACM 52(4).
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch

DType = Literal["float32", "float64"]

MATRIX = 768  # rows of the square matrices: 1e9 operations, which outweigh the call, in 7 MB of float32
COPY_BYTES = 64 * 1024 * 1024  # copied at once: more than a core's share of the caches of most processors
REPEATS = 7  # of which the best counts: a peak is what the machine can do, and neighbours only ever take from it
# Peaks are measured where others compute as well, and clocks vary: a floor is only a floor if the peak is not too low.
MARGIN = 2.0


@dataclass(frozen=True, slots=True)
class Peaks:
    """What a machine does at most."""

    flops: float  # floating-point operations a second
    bytes_per_s: float  # moved between memory and processor, read and written


def floor_s(operations: float, moved_bytes: float, *, peak_flops: float, peak_bytes_per_s: float) -> float:
    """Seconds that work takes at least: the longer of computing and moving, as the two may overlap.

    max(operations / peak_flops, moved_bytes / peak_bytes_per_s)

    Args:
        operations: floating-point operations that no algorithm allowed can do without (a fused multiply-add is two).
        moved_bytes: to and from memory, each byte once.
        peak_flops: operations a second.
        peak_bytes_per_s: bytes a second.

    Raises:
        ValueError: negative work, or a peak that is not positive; either of them not finite.

    >>> floor_s(2e9, 8e6, peak_flops=1e11, peak_bytes_per_s=1e10)
    0.02
    """
    for name, value in (("operations", operations), ("moved_bytes", moved_bytes)):
        if not (math.isfinite(value) and value >= 0):
            raise ValueError(f"{name}: expected a finite number from 0 on, got {value}")
    for name, value in (("peak_flops", peak_flops), ("peak_bytes_per_s", peak_bytes_per_s)):
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"{name}: expected a finite number above 0, got {value}")
    return max(operations / peak_flops, moved_bytes / peak_bytes_per_s)


def measure_peaks(dtype: DType = "float32", *, threads: int = 1) -> Peaks:
    """What this machine reaches in a product of matrices and in a copy, doubled as a margin; takes about 0.3 s.

    Runs in the grader, never in a kernel. `threads` is what the assignment allows. For CPUs: a GPU's data sheet has its
    peak.

    Departs from the source: peaks are measured, not read from data sheets, and doubled, as a neighbour may have been
    computing: a floor that is too low misses a cheat, one that is too high accuses an honest notebook.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        return Peaks(MARGIN * _flops(getattr(torch, dtype)), MARGIN * _bytes_per_s())
    finally:
        torch.set_num_threads(before)


def _flops(dtype: torch.dtype) -> float:
    left = torch.ones(MATRIX, MATRIX, dtype=dtype)
    out = torch.empty_like(left)
    return 2.0 * MATRIX**3 / _best_s(lambda: torch.mm(left, left, out=out))


def _bytes_per_s() -> float:
    source = torch.ones(COPY_BYTES, dtype=torch.uint8)
    target = torch.empty_like(source)
    return 2.0 * COPY_BYTES / _best_s(lambda: target.copy_(source))


def _best_s(work: Callable[[], object]) -> float:
    """The shortest of several runs, after one that counts for nothing."""
    work()
    durations = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        work()
        durations.append(time.perf_counter() - began)
    return min(durations)
