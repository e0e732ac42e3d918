"""The checks of an assignment: the pytest plugin that instructors write them with, and how the pipeline runs them."""

from harness.checks.compare import tolerance
from harness.checks.declare import check
from harness.checks.failures import Mismatch, NoAnswer
from harness.records import Text

__all__ = ["Mismatch", "NoAnswer", "Text", "check", "tolerance"]
