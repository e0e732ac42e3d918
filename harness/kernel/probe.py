"""Answers the grader, inside the kernel: calls what the notebook defines and sends back plain data.

A request comes as one Jupyter message on the shell channel, with a nonce and a batch of calls; each call gets a reply
of its own, in order (docs/kernel.md). Nothing here decides anything: tampering with it spoils one's own answers.
Not covered: the format of values (wire), rules (guard).
"""

import io
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from typing import Any

import zmq

from . import guard, randomness, rows, wire
from .protocol import FRAMES, MESSAGE, PRINTED, REPLY, utf8

ABSENT = "Ce paquet n'est pas disponible dans ce devoir. / This package is not available in this assignment."
NO_MEMORY = "can't allocate memory"  # as torch's allocator says it

Payload = tuple[str, Any, Any, bool, Any]  # outcome, value, error, whether arguments changed, their final values


class Missing(Exception):
    """The notebook defines no such name."""


class Probe:
    """What the grader talks to."""

    def __init__(self, kernel: Any, *, device: str) -> None:
        """Tensors that are sent here land on `device`."""
        self.device = device
        self.namespace: dict[str, Any] = kernel.shell.user_ns
        self.hidden: Mapping[str, Any] = kernel.shell.user_ns_hidden
        self.send = kernel.session.send
        self.kept: list[object] = []
        self.numbers: dict[int, int] = {}  # id of an object that is kept -> its place in `kept`

    def answer(self, stream: Any, ident: Any, parent: Mapping[str, Any]) -> None:
        """Handle one request: one reply for each call, sent as soon as it is there."""
        content, parts = parent["content"], parent["buffers"]
        for index, count in enumerate(content["parts"]):
            reply = self.reply(parts[:count])
            parts = parts[count:]
            self.send(stream, REPLY, {"nonce": content["nonce"], "index": index}, parent, ident=ident, buffers=reply)
            stream.flush(zmq.POLLOUT)

    def reply(self, parts: Sequence[Any]) -> list[Any]:
        """The parts of the reply to one item of a request."""
        operation, *arguments = wire.decode(parts, resolve=self.resolve, device=self.device)
        if operation == "defined":
            return wire.encode(tuple(self.is_defined(name) for name in arguments[0]))
        printed = Printed()
        with redirect_stdout(printed), redirect_stderr(printed):
            payload = self.call(*arguments)
        return self.encoded(payload, printed.getvalue())

    def encoded(self, payload: Payload, printed: str) -> list[Any]:
        """`payload` as it crosses; what cannot cross makes the call a failed one."""
        rest = (printed, guard.take_violations())
        try:
            return wire.encode((*payload, *rest), keep=self.keep)
        except (wire.WireError, wire.NotPlain) as problem:
            error = {"name": type(problem).__name__, "message": str(problem), "frames": []}
            return wire.encode(("failed", None, error, False, None, *rest))
        except MemoryError as problem:
            return wire.encode(("memory", None, describe(problem), False, None, *rest))

    def call(self, name: str, target: Any, arguments: Any, options: Any) -> Payload:
        """Make one call; whatever it raises is its outcome."""
        args, kwargs = arguments
        try:
            function = self.find(name, target)
            before = None if options["in_place"] else wire.fingerprint((args, kwargs), keep=self.keep)
            randomness.seed(options["seed"])
            value = _use(function, name, args, kwargs)
            if options["commit"]:
                value = rows.promised(value)
            changed = before is not None and before != self.print_of((args, kwargs))
        except Missing:
            return "missing", None, None, False, None
        except BaseException as error:  # noqa: BLE001  (also SystemExit and the like: every way to end is an outcome)
            return outcome_of(error), None, describe(error), False, None
        return "passed", value, None, changed, (args if options["in_place"] else None)

    def print_of(self, value: Any) -> str | None:
        """The fingerprint; None when arguments became something that has none."""
        with suppress(wire.WireError, wire.NotPlain):
            return wire.fingerprint(value, keep=self.keep)
        return None

    def find(self, name: str, target: Any) -> Any:
        """The attribute `name` of `target`, or the notebook's own `name`."""
        if target is not None:
            return getattr(target, name)
        if not self.is_defined(name):
            raise Missing(name)
        return self.namespace[name]

    def is_defined(self, name: str) -> bool:
        """Whether the notebook, not IPython, gave `name` a value."""
        return name in self.namespace and not (name in self.hidden and self.namespace[name] is self.hidden[name])

    def keep(self, value: object) -> wire.Reference:
        """Keep an object that cannot cross; the same object has the same number."""
        number = self.numbers.setdefault(id(value), len(self.kept))
        if number == len(self.kept):
            self.kept.append(value)
        return wire.Reference(number, wire.type_name(value))

    def resolve(self, reference: wire.Reference) -> object:
        """The object that was kept under this number."""
        return self.kept[reference.id]


def _use(function: Any, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Call `function`; something that cannot be called is its own value when nothing is passed to it."""
    if callable(function):
        return function(*args, **kwargs)
    if args or kwargs:
        raise TypeError(f"{name!r} is not callable: it is {wire.type_name(function)}")
    return function


class Printed(io.StringIO):
    """Keeps the beginning of what a call prints."""

    def write(self, text: str) -> int:
        super().write(text[: max(0, PRINTED - self.tell())])
        return len(text)


def outcome_of(error: BaseException) -> str:
    """The outcome that an exception in student code stands for."""
    if isinstance(error, guard.PolicyViolation):
        return "policy"
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return "memory"
    return "memory" if isinstance(error, RuntimeError) and NO_MEMORY in _message(error) else "error"


def describe(error: BaseException) -> dict[str, Any]:
    """An exception as plain data: name, message, and frames as (file, line, function), innermost last."""
    frames = []
    if isinstance(error, SyntaxError) and isinstance(error.lineno, int):
        frames.append((str(error.filename), error.lineno, "<module>"))
    traceback = error.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        frames.append((code.co_filename, traceback.tb_lineno, code.co_name))
        traceback = traceback.tb_next
    own = [frame for frame in frames if not frame[0].startswith(guard.LIBRARY) and not frame[0].startswith("<frozen ")]
    return {
        "name": utf8(type(error).__name__),
        "message": _message(error),
        "frames": own[-FRAMES:],
        "outcome": outcome_of(error),
    }


def _message(error: BaseException) -> str:
    """What an exception says; its own code may fail to say it."""
    try:
        said = utf8(str(error)[:MESSAGE])
    except BaseException:  # noqa: BLE001  (student code again)
        return ""
    if isinstance(error, ModuleNotFoundError) and str(error.name).partition(".")[0] not in sys.modules:
        return f"{said}. {ABSENT}"
    return said
