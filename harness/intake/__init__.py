"""From what was handed in to a `Submission`: finding, reading and repairing notebooks, static policy."""

from harness.intake.find import find, select
from harness.intake.names import safe_name
from harness.intake.read import prepare, read

__all__ = ["find", "prepare", "read", "safe_name", "select"]
