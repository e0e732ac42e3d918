"""The checks of an assignment: the pytest plugin that instructors write them with, and how the pipeline runs them."""

from harness.checks.collection import verify
from harness.checks.compare import tolerance
from harness.checks.declare import check
from harness.checks.failures import Mismatch, NoAnswer
from harness.checks.session import Bench, collect, run
from harness.records import Text

__all__ = ["Bench", "Mismatch", "NoAnswer", "Text", "check", "collect", "run", "tolerance", "verify"]
