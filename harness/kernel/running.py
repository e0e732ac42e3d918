"""One started kernel, as the grader holds it: requests go in, validated plain data comes out, or how it ended.

Covered: one start, from the sandbox's first process to its last; interrupting; telling deaths apart.
Not covered: starting again, and what the requests are for (`live`); running cells (`cells`).
"""

import asyncio
import re
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import zmq

from harness.errors import InfrastructureError
from harness.kernel import wire
from harness.kernel.channels import Message
from harness.kernel.contract import Handle
from harness.kernel.protocol import REPLY, REQUEST
from harness.kernel.provisioner import Manager
from harness.records import Outcome
from harness.sandbox.contract import Usage

WELCOME = "iopub_welcome"
CONNECT_S = 30.0  # from "ready" to the first answer; a few milliseconds as a rule
INTERRUPT_S = 1.0  # how long code may take to heed an interrupt before the kernel is ended
FAULT = re.compile(r"^Fatal Python error: ([A-Za-z ]{1,80})$", re.MULTILINE)  # as faulthandler writes it
MARK_AGAIN = "Mark this submission again; where it happens often, with --kernels cold."
DRAIN_S = 0.2  # after a death, for what had been sent before it


class ProtocolBroken(Exception):
    """A message with the right nonce says nothing that can be understood; nobody but student code sends one."""


@dataclass(slots=True)
class Exchange:
    """What came of one request."""

    replies: list[tuple[float, Any]] = field(default_factory=list)  # (seconds since the one before, decoded value)
    ended: Outcome | None = None  # None: every reply is there
    overran: bool = False  # the request's time was used up, and the kernel was ended


class RunningKernel:
    """A kernel that has been started and can be talked to."""

    def __init__(self, manager: Manager, number: int) -> None:
        """`number` counts the starts; handles carry it."""
        self.manager = manager
        self.number = number
        self.client = manager.client(context=manager.context)
        self.process = manager.process
        self.died: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def connect(self) -> None:
        """Open the channels and see that both directions work, before any student code runs.

        Raises:
            InfrastructureError: the kernel does not answer.
        """
        asyncio.get_running_loop().add_reader(self.process.wait_fd(), self._on_death)
        self.client.start_channels(stdin=False, hb=False, control=False)
        welcomed = asyncio.ensure_future(self._welcomed())
        await asyncio.wait({welcomed, self.died}, timeout=CONNECT_S, return_when=asyncio.FIRST_COMPLETED)
        answered = welcomed.done() or self.died.done()
        await _finish(welcomed)
        if not answered:
            raise InfrastructureError("a kernel does not answer", remedy="Mark with fewer jobs.")
        exchange = await self.exchange([wire.encode(("defined", ()))], seconds=CONNECT_S)
        if exchange.ended is not None:
            raise InfrastructureError("a kernel ended before it ran any code", remedy="Run `bareme doctor`.")

    async def _welcomed(self) -> None:
        while (await self.client.get_iopub_msg())["msg_type"] != WELCOME:
            pass

    def _on_death(self) -> None:
        asyncio.get_running_loop().remove_reader(self.process.wait_fd())
        if not self.died.done():
            self.died.set_result(None)

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return not self.died.done() and self.process.running()

    async def exchange(self, items: Sequence[Sequence[bytes | memoryview]], *, seconds: float) -> Exchange:
        """Send one request made of encoded `items` and gather one reply each, at most for `seconds`."""
        exchange = Exchange()
        gathering = asyncio.ensure_future(self._gather(self._send(items), len(items), exchange))
        await asyncio.wait({gathering, self.died}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if not gathering.done() and not self.died.done():
            # not interrupted: what was being imported or changed would stay half done for the calls that follow
            self.end()
            exchange.ended = Outcome.TIMEOUT
            exchange.overran = True
        elif not gathering.done():
            await asyncio.wait({gathering}, timeout=DRAIN_S)
        complete = gathering.done()
        await _finish(gathering)
        if not complete:
            cause = self.cause()
            exchange.ended = exchange.ended or cause
        return exchange

    def _send(self, items: Sequence[Sequence[bytes | memoryview]]) -> Mapping[str, Any]:
        session = self.client.session
        content = {"nonce": secrets.token_hex(16), "parts": [len(item) for item in items]}
        buffers = [bytes(part) for item in items for part in item]
        message: Mapping[str, Any] = session.msg(REQUEST, content)
        with suppress(zmq.Again):  # nobody is there any more to hear it: what waits for the answer will see
            session.send(self.client.shell_channel.socket, message, buffers=buffers)
        return message

    async def _gather(self, request: Mapping[str, Any], expected: int, exchange: Exchange) -> None:
        """Take the replies to `request` in order; whatever else arrives is as if it had not."""
        clock = asyncio.get_running_loop().time
        since = clock()
        while len(exchange.replies) < expected:
            message = await self.client.get_shell_msg()
            if _is_reply(message, request, len(exchange.replies)):
                value = self._decoded(message)
                exchange.replies.append((clock() - since, value))
                since = clock()

    def _decoded(self, message: Message) -> Any:
        try:
            return wire.decode(message["buffers"], resolve=self._handle)
        except wire.WireError as error:
            return ProtocolBroken(str(error))

    def _handle(self, reference: wire.Reference) -> Handle:
        return Handle(reference.id, reference.type_name, self.number)

    async def interrupt(self, waited: "asyncio.Future[Any]") -> None:
        """Interrupt, and end the kernel when what is `waited` for does not end by that."""
        self.process.interrupt()
        await asyncio.wait({waited, self.died}, timeout=INTERRUPT_S, return_when=asyncio.FIRST_COMPLETED)
        if not waited.done():
            self.end()

    def cause(self) -> Outcome:
        """Why the kernel died: a limit of the sandbox, or student code ended it, or we did.

        Raises:
            InfrastructureError: the sandbox ended under it; then no cell and no call is to blame.
        """
        cause = self.process.exceeded() or Outcome.CRASHED
        if cause is Outcome.INFRASTRUCTURE:
            raise InfrastructureError("the sandbox of a kernel ended under it", remedy=MARK_AGAIN)
        return cause

    def last_fault(self) -> str:
        """How the process died where Python itself says so ("Segmentation fault"); student code can write this too."""
        fault = FAULT.search(self.process.last_words())
        return fault[1] if fault else ""

    def end(self) -> None:
        """End the process and all it started."""
        self.process.end()

    async def close(self) -> Usage:
        """End everything, close the sockets; what was used in the end."""
        self.end()
        asyncio.get_running_loop().remove_reader(self.process.wait_fd())
        self.client.stop_channels()
        await self.manager.shut_down()
        return self.process.usage()


def _is_reply(message: Message, request: Mapping[str, Any], index: int) -> bool:
    return bool(
        message["msg_type"] == REPLY
        and message["parent_header"].get("msg_id") == request["header"]["msg_id"]
        and message["content"] == {"nonce": request["content"]["nonce"], "index": index}
    )


async def _finish(task: "asyncio.Future[Any]") -> None:
    """Cancel what still runs; what went wrong on our side is raised here."""
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
