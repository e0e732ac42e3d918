"""The checks of an assignment: the pytest plugin that instructors write them with, and how the pipeline runs them."""

from harness.checks.answers import Answers
from harness.checks.collection import verify
from harness.checks.compare import tolerance
from harness.checks.declare import check
from harness.checks.failures import Mismatch, NoAnswer
from harness.checks.measuring import TIMED
from harness.checks.memo import Memo
from harness.checks.proxy import NULL_CALLS
from harness.checks.session import Bench, Marks, collect, prepare, run
from harness.metrics.scale import Scale
from harness.records import Text

__all__ = [
    "NULL_CALLS",
    "TIMED",
    "Answers",
    "Bench",
    "Marks",
    "Memo",
    "Mismatch",
    "NoAnswer",
    "Scale",
    "Text",
    "check",
    "collect",
    "prepare",
    "run",
    "tolerance",
    "verify",
]
