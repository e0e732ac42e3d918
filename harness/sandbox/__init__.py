"""Where code that is not trusted runs."""

from harness.sandbox.choice import choose, describe, guarantees, missing_packages, serve, warning
from harness.sandbox.warm.outside import Warm

__all__ = ["Warm", "choose", "describe", "guarantees", "missing_packages", "serve", "warning"]
