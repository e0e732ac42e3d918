"""Pages from results: data first (`view`), then HTML (`render`)."""

from reports.names import safe_name
from reports.render import write, write_demo_index

__all__ = ["safe_name", "write", "write_demo_index"]
