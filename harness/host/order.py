"""What one self-check is asked for: plain words that cross from the command to the host as JSON.

Not covered: what becomes of it (`check`), and how it crosses (`frames`).
"""

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from harness.records import AskedDevice, Kernels, Language, SandboxName


@dataclass(frozen=True, slots=True)
class Order:
    """The command line of `bareme check`."""

    notebook: str  # as it was typed: messages name it so
    assignment: str | None  # None: to be guessed
    course: str  # an absolute path
    device: AskedDevice
    sandbox: SandboxName
    kernels: Kernels
    language: Language | None  # None: the course's


@dataclass(frozen=True, slots=True)
class Stream:
    """What decides how text is printed on one stream of the command."""

    terminal: bool
    encoding: str

    @classmethod
    def of(cls, stream: Any) -> Self:
        """The facts of a stream of this process."""
        return cls(stream.isatty(), stream.encoding or "utf-8")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where the command was given: a worker of the host takes them over, so that it prints and finds the same."""

    folder: str  # the working folder
    environment: Mapping[str, str] = field(repr=False)
    out: Stream
    err: Stream

    @classmethod
    def here(cls) -> Self:
        """Those of this process."""
        columns = str(shutil.get_terminal_size().columns)
        return cls(str(Path.cwd()), {"COLUMNS": columns, **os.environ}, Stream.of(sys.stdout), Stream.of(sys.stderr))


@dataclass(frozen=True, slots=True)
class Request:
    """All that a worker needs."""

    order: Order
    surroundings: Surroundings

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """What `to_json` has made."""
        around = data["surroundings"]
        out, err = (Stream(**around[name]) for name in ("out", "err"))
        return cls(Order(**data["order"]), Surroundings(around["folder"], around["environment"], out, err))
