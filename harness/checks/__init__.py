"""The pytest plugin that assignments write their checks with."""
