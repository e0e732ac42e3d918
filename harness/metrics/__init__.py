"""Qualities beyond right and wrong, each measured by a written protocol (docs/protocols.md).

One module or package a metric, each with `measure(...)`, which returns what it found, and controls whose values are
known beforehand. Not covered: calling the notebook (`checks.proxy`), points (`scale`), boards (`leaderboard`).
"""
