"""Speed as a ratio to the baseline: warm up, choose the calls, take blocks, check every answer, report.

Protocol: docs/metrics/speed.md. Covers the order of things. Not covered: single calls and blocks (`blocks`), the ratio
(`estimate`), what is said about it (`findings`), points (`scale`).
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from harness.metrics.contract import Baseline, Measurement, Timed
from harness.metrics.speed import findings
from harness.metrics.speed.blocks import Block, Course, Draw, Fresh, visit, without_work
from harness.metrics.speed.estimate import estimate, net_s, waiting
from harness.metrics.speed.settings import BUSY, FEWEST_BLOCKS, MOST_ROUNDS, SUSPICIOUS, TRIAL, WARM_UP, Clock, Settings

Same = Callable[[Any, Any], None]  # (answer, expected); raises what the check raises for a wrong answer

STANDARD = Settings()


def measure(
    subject: Timed,
    baseline: Baseline,
    draw: Draw,
    *,
    rng: np.random.Generator,
    same: Same,
    settings: Settings = STANDARD,
) -> tuple[Measurement, ...]:
    """How many times as fast as the baseline: by the clock of the settings first, by the other one if it can tell.

    Every answer that is timed is also checked, against the baseline's to the same input: a submission cannot be honest
    only when it is looked at. Each input is used once.

    Args:
        subject: the function of the student's notebook.
        baseline: the same function of the solution's notebook, in a kernel of its own.
        draw: makes the arguments of one call, as a tuple: new values each time, shapes shuffled.
        rng: secret; draws inputs and the order of calls.
        same: takes the submission's answer and the baseline's, and raises unless the first is right.
        settings: clock, threads, floor, number and size of blocks.

    Returns:
        "speed" (by the settings' clock), then "speed_wall" or "speed_cpu", unless that clock cannot tell.

    Raises:
        Refused: "restarted", or "too_fast_to_measure": the submission's work cannot be told from null calls.
        ConfigurationError: the baseline's work cannot, or `draw` gives the same inputs again.
        Exception: whatever `same` and the student's function raise.
    """
    for_inputs, for_orders = rng.spawn(2)
    fresh = Fresh(draw, for_inputs)
    rounds = _rounds(subject, baseline, fresh, same, settings)
    course = Course(subject, baseline, fresh)
    blocks: list[Block] = []
    while len(blocks) < settings.blocks or (len(blocks) < 2 * settings.blocks and _calm(blocks) < settings.blocks):
        block = course.block(rounds, for_orders)
        for pair in block.pairs:
            same(*pair)
        blocks.append(block)
        if len(blocks) == FEWEST_BLOCKS:
            estimate(blocks, settings.clock).refuse()  # what cannot be told will not be by taking more
    return _report(blocks, settings)


def _rounds(subject: Timed, baseline: Baseline, fresh: Fresh, same: Same, settings: Settings) -> int:
    """Warm both kernels up, check a few answers, and choose the rounds of a block from what those took."""
    dummies = (fresh if settings.warm_up is None else Fresh(settings.warm_up, fresh.rng)).take(WARM_UP)
    without_work(baseline, dummies, visit(baseline, dummies).answers)
    visit(subject, dummies)
    inputs = fresh.take(TRIAL)
    theirs, mine = visit(baseline, inputs), visit(subject, inputs)
    for pair in zip(mine.answers, theirs.answers, strict=True):
        same(*pair)
    null = without_work(baseline, inputs, theirs.answers)
    works = [net_s(each, null, settings.clock) for each in (mine.spent, theirs.spent)]
    half_s = settings.block_s / 2
    # ratios beyond 10 are for a person anyway: no minutes are spent on calls that make them more exact
    return math.ceil(half_s / max(min(works), max(works) / SUSPICIOUS, half_s / MOST_ROUNDS))


def _calm(blocks: Sequence[Block]) -> int:
    return sum(waiting(block) <= BUSY for block in blocks)


def _report(blocks: Sequence[Block], settings: Settings) -> tuple[Measurement, ...]:
    """From blocks to what is recorded; of more blocks than were asked for, the calmest count."""
    kept = sorted(blocks, key=waiting)[: settings.blocks]
    other: Clock = "wall" if settings.clock == "cpu" else "cpu"
    headline, beside = estimate(kept, settings.clock), estimate(kept, other)
    headline.refuse()
    found = [findings.headline(headline, kept, n_taken=len(blocks), settings=settings)]
    if beside.told:
        found.append(findings.beside(beside))
    return tuple(found)
