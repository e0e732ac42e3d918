"""Every run, kept: the schema, its migrations, queries and exports."""

from harness.gradebook.store import Gradebook

__all__ = ["Gradebook"]
