"""Where code that is not trusted runs."""

from harness.sandbox.choice import Name, choose, describe, guarantees, missing_packages, warning

__all__ = ["Name", "choose", "describe", "guarantees", "missing_packages", "warning"]
