"""From blocks to a ratio with its interval, by one of the two clocks.

Not covered: taking blocks (`measure`), and what is said about the result (`findings`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from harness.errors import ConfigurationError
from harness.metrics.contract import Refused
from harness.metrics.speed.blocks import Block, Spent
from harness.metrics.speed.settings import OVERHEAD_DOUBT, SIGNAL, START_DOUBT, Clock
from harness.records import Text
from harness.statistics import median_interval

Array = np.ndarray[Any, np.dtype[np.float64]]

MAD_TO_SD = 1.4826  # of normal values
SMALLEST_S = 1e-12  # what stands for a call's work that is none or less, by the chance of a null call's median


@dataclass(frozen=True, slots=True)
class Estimate:
    """What one clock says; seconds are those of a call, medians over blocks."""

    clock: Clock
    subject_s: float  # null call subtracted
    baseline_s: float  # null call subtracted
    null_s: float
    doubt_s: float  # what is not known about `null_s`
    ratio: float  # times as fast as the baseline; NaN unless `told`
    low: float  # end of the 95 % interval
    high: float

    @property
    def told(self) -> bool:
        """Whether both kernels' work can be told from null calls."""
        enough = min(self.subject_s, self.baseline_s) >= SIGNAL * self.doubt_s
        return enough and bool(np.isfinite(self.ratio))

    def refuse(self) -> None:
        """Do so unless there is a ratio.

        Raises:
            ConfigurationError: the baseline's work cannot be told from null calls.
            Refused: the submission's cannot ("too_fast_to_measure").
        """
        least_s = SIGNAL * self.doubt_s
        if self.baseline_s < least_s:
            raise ConfigurationError(
                f"speed: the baseline works {1e3 * self.baseline_s:.3f} ms a call beside a null call of "
                f"{1e3 * self.null_s:.3f} ms, and less than {1e3 * least_s:.3f} ms cannot be timed",
                remedy="Draw larger inputs, or time a function that does the work many times.",
            )
        if not self.told:
            raise Refused("too_fast_to_measure", _too_fast(self.subject_s, least_s))


def estimate(blocks: Sequence[Block], clock: Clock) -> Estimate:
    """Median over blocks of the log ratio, null calls subtracted from both, with its 95 % interval.

    Of a block, the median over its inputs of baseline over submission for one input: a neighbour makes some calls much
    dearer, and a sum would follow those. What the submission burns between its calls is spread over them.

    The interval is the median's over blocks, then wider by two things that blocks of one run cannot show: another start
    of the same two kernels, and null calls that cost a little more or less than they seem.

    Args:
        blocks: five or more.
        clock: whose seconds.
    """
    subject, baseline = (np.array([_calls_s(block, which, clock) for block in blocks]) for which in (0, 1))
    null = np.array([each_s(block.null, clock) for block in blocks])
    null_s = float(np.median(null))
    spread_s = MAD_TO_SD * float(np.median(np.abs(null - null_s))) / np.sqrt(len(blocks))
    doubt_s = float(max(spread_s, OVERHEAD_DOUBT * null_s))
    ratio, low, high = _ratio(subject, baseline, null_s, doubt_s)
    return Estimate(
        clock,
        float(np.median(subject)) - null_s,
        float(np.median(baseline)) - null_s,
        null_s,
        doubt_s,
        ratio,
        low,
        high,
    )


def _calls_s(block: Block, which: Literal[0, 1], clock: Clock) -> Array:
    """Seconds of each call of a block, the submission's (0) or the baseline's; between calls, spread over them."""
    own = np.array([each_s(pair[which], clock) for pair in block.calls])
    charged = (block.subject, block.baseline)[which]
    return np.asarray(own + (each_s(charged, clock) - own.mean()))


def _ratio(subject: Array, baseline: Array, null_s: float, doubt_s: float) -> tuple[float, float, float]:
    """Ratio, low and high; NaN where a block leaves no work."""
    if min(np.median(each, axis=1).min() for each in (subject, baseline)) <= null_s + doubt_s:
        return np.nan, np.nan, np.nan
    logs, less, more = (_logs(subject, baseline, null_s + shift) for shift in (0.0, -doubt_s, doubt_s))
    middle = float(np.median(logs))
    shifts = [float(np.median(each)) - middle for each in (less, more)]
    interval = median_interval(logs)
    low = middle - np.hypot(middle - interval.low, START_DOUBT) + min(0.0, *shifts)
    high = middle + np.hypot(interval.high - middle, START_DOUBT) + max(0.0, *shifts)
    return float(np.exp(middle)), float(np.exp(low)), float(np.exp(high))


def _logs(subject: Array, baseline: Array, null_s: float) -> Array:
    """One of each block; a single call that cost no more than a null call counts as infinitely fast."""
    work = [np.log(np.maximum(each - null_s, SMALLEST_S)) for each in (baseline, subject)]
    return np.asarray(np.median(work[0] - work[1], axis=1))


def net_s(spent: Spent, null: Spent, clock: Clock) -> float:
    """Seconds of work a call."""
    return each_s(spent, clock) - each_s(null, clock)


def each_s(spent: Spent, clock: Clock) -> float:
    """Seconds a call."""
    return spent.each.cpu_s if clock == "cpu" else spent.each.wall_s


def waiting(block: Block) -> float:
    """Time that a kernel waited for a processor as a share of its CPU time; of both kernels the larger."""
    return max(spent.waited_s / spent.cpu_s for spent in (block.subject, block.baseline))


def _too_fast(subject_s: float, least_s: float) -> Text:
    took, least = f"{1e3 * max(subject_s, 0.0):.2f}", f"{1e3 * least_s:.2f}"
    return Text(
        f"Une fois le transport déduit, votre fonction prend {took.replace('.', ',')} ms par appel, et rien ne se "
        f"mesure sous {least.replace('.', ',')} ms : aucun rapport de vitesse n'est donné. Si elle fait bien tout le "
        "travail demandé, signalez-le à votre enseignant, qui peut agrandir les entrées.",
        f"Once transport is subtracted, your function takes {took} ms a call, and nothing below {least} ms can be "
        "measured: no ratio of speeds is given. If it does all the work that is asked, tell your instructor, who can "
        "make the inputs larger.",
    )
