"""Marks notebooks: runs what students wrote in a sandbox and holds every answer against an oracle."""

from importlib.metadata import version

__version__ = version("bareme")
