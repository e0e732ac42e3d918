"""Controls of speed, cheap enough for the start of each marking run: a known ratio, and the system's clock.

Not covered: real kernels and liars (tests), how well ratios repeat (benchmarks/speed.py).
"""

import math
import subprocess
import sys
import time

import numpy as np

from harness.errors import InfrastructureError
from harness.metrics.speed.blocks import Block, Spent
from harness.metrics.speed.estimate import estimate

RATIO = 2.5
BURNED_S = 0.03  # three ticks of the system's coarsest clock
LATER_S = (
    0.05  # CPU that the child may use between saying what it has used and being looked at; a millisecond as a rule
)
ASLEEP_S = 30.0  # for the look, then it ends by itself
BURN = f"""
import time
while time.process_time() < {BURNED_S}: pass
print(time.process_time(), flush=True)
time.sleep({ASLEEP_S})
"""


def check() -> None:
    """Hold the arithmetic and the clock against what is known.

    Raises:
        InfrastructureError: one of them is off; the message names it.
    """
    _ratio()
    _clock()


def _ratio() -> None:
    """Blocks of a submission 2.5 times as fast, on a machine that is disturbed in each in another way."""
    rng = np.random.default_rng(0)
    found = estimate([_block(disturbed) for disturbed in rng.uniform(0.9, 1.5, size=9)], "cpu")
    if not math.isclose(found.ratio, RATIO, rel_tol=1e-9) or not found.low < RATIO < found.high:
        raise _off("the ratio of known times", f"{RATIO} within its interval", f"{found.ratio}")


def _block(disturbed: float) -> Block:
    null_s, work_s = 0.0005, 0.004 * disturbed
    call = Spent(1, null_s + work_s), Spent(1, null_s + RATIO * work_s)
    subject, baseline = (sum([one] * 10, Spent()) for one in call)
    return Block(subject, baseline, Spent(10, 10 * null_s), idle_cpu_s=0.0, pairs=(), calls=(call,) * 10)


def _clock() -> None:
    """A process that says what it has used is seen from outside to have used as much."""
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", BURN], stdout=subprocess.PIPE) as child:
        try:
            said_s = float(child.stdout.readline()) if child.stdout else math.nan
            seen_s = time.clock_gettime(~child.pid << 3 | 2)  # its CPU clock, see clock_getcpuclockid(3)
        except (OSError, ValueError) as error:
            raise _off("CPU time of another process", "a figure", str(error)) from error
        finally:
            child.kill()
    if not said_s <= seen_s <= said_s + LATER_S:
        raise _off("CPU time of another process", f"{said_s:.3f} s as it says itself", f"{seen_s:.3f} s")


def _off(what: str, expected: str, got: str) -> InfrastructureError:
    return InfrastructureError(
        f"control of speed: {what}: expected {expected}, got {got}",
        remedy="Mark on Linux, on a machine whose /proc can be read; `bareme doctor` says what works here.",
    )
