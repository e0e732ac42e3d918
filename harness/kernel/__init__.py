"""Jupyter kernels in a sandbox, and the wire between them and the grader.

What stands here is their contract, without what it takes to start one: that is in `live`.
"""

from harness.kernel.contract import Answer, Call, Handle, Notebook, nobody

__all__ = ["Answer", "Call", "Handle", "Notebook", "nobody"]
