"""Marks notebooks: runs what students wrote in a sandbox and holds every answer against an oracle."""

__version__ = "0.1.0"  # the package is built with this; asking what is installed would cost every command 20 ms
