"""Jupyter kernels in a sandbox, and the wire between them and the grader."""
