"""The learning rate as a pure function of the step. Not covered: restarts, other shapes of decay."""

import math
import sys

from reference.checked import checked


@checked
def cosine_with_warmup(
    step: int, *, peak: float | int, warmup_steps: int, total_steps: int, floor: float | int = 0.0
) -> float:
    """Learning rate of step `step`, the first being 0: up a line, down half a cosine, then flat.

    With W warm-up steps of n in all: step < W: peak · step / W; W <= step < n: floor + (peak - floor) ·
    (1 + cos(π (step - W) / (n - W))) / 2; step >= n: floor. So with W > 0 the first rate is 0, and with W = 0 it is the
    peak. W = n: the rate climbs and falls to the floor at once. The warm-up starts at 0, whatever the floor.

    Source: Loshchilov and Hutter 2017 (arXiv:1608.03983), equation 5; warm-up: Goyal et al. 2017 (arXiv:1706.02677),
    section 2.2.
    Departs from it: one period, no restart; after the last step the rate stays at the floor; the warm-up starts at 0.

    Args:
        step: 0 or more.
        peak: the largest rate, finite.
        warmup_steps: W, from 0 to n.
        total_steps: n.
        floor: the rate at the end, from 0 to the peak.
    Returns:
        A rate from 0 to the peak.
    Raises:
        ValueError: an argument is out of its range.

    Cost: O(1).

    >>> [round(cosine_with_warmup(step, peak=2, warmup_steps=2, total_steps=6), 3) for step in range(8)]
    [0.0, 1.0, 2.0, 1.707, 1.0, 0.293, 0.0, 0.0]
    """
    if not 0 <= warmup_steps <= total_steps:
        raise ValueError(f"warmup_steps: expected 0 to {total_steps}, the total, got {warmup_steps}")
    if not 0 <= floor <= peak <= sys.float_info.max:
        raise ValueError(f"floor and peak: expected 0 <= floor <= peak, both finite, got {floor} and {peak}")
    if step < 0:
        raise ValueError(f"step: expected 0 or more, got {step}")
    if step < warmup_steps:
        return float(peak * (step / warmup_steps))
    if step >= total_steps:
        return float(floor)
    progress = (step - warmup_steps) / (total_steps - warmup_steps)
    share = (1 + math.cos(math.pi * progress)) / 2  # of the way from the floor up to the peak
    return float(peak if share == 1 else min(floor + (peak - floor) * share, peak))  # rounding may pass the peak
