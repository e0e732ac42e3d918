"""Jupyter kernels in a sandbox, and the wire between them and the grader."""

from harness.kernel.contract import Answer, Call, Handle, Notebook
from harness.kernel.live import LiveNotebook
from harness.kernel.starts import Plan

__all__ = ["Answer", "Call", "Handle", "LiveNotebook", "Notebook", "Plan"]
