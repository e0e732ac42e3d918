"""The grader's ends of a kernel's sockets: everything that arrives is hostile until it has been read here.

Jupyter's own reading trusts its peer (dates, versions, signatures whose key the student holds, unbounded JSON). Here a
message is bounded, four JSON objects of the expected types and raw buffers, or it is as if it had not come.
Not covered: what a message means (`running`, `cells`); a multipart message that never ends is bounded by the grader's
own memory limit alone.
"""

import asyncio
import json
from collections.abc import Sequence
from queue import Empty
from typing import Any

import zmq
import zmq.asyncio
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.channels import AsyncZMQSocketChannel
from jupyter_client.connect import channel_socket_types
from traitlets import Type

from harness.kernel.wire import CAPS

DELIMITER = b"<IDS|MSG>"  # of the Jupyter protocol: before the signature, the header, its parent, metadata, content
JSON_BYTES = 2**20  # of one JSON frame: the kernel sends output in pieces of 64 Ki characters
SHELL_BYTES = CAPS.total_bytes + JSON_BYTES  # of one frame of an answer
WAITING = 16  # messages that wait to be read; beyond that output is dropped at its source

Message = dict[str, Any]


def context() -> zmq.asyncio.Context:
    """Sockets that connect once: a student might put something else in a socket's place."""
    made = zmq.asyncio.Context()
    made.setsockopt(zmq.LINGER, 0)
    made.setsockopt(zmq.RECONNECT_IVL, -1)
    return made


def parse(frames: Sequence[bytes]) -> Message | None:
    """The message in `frames`, None when it is not one."""
    try:
        start = frames.index(DELIMITER) + 2
        header, parent, _, content = (_json_object(frame) for frame in frames[start : start + 4])
    except (ValueError, RecursionError):  # ValueError also where there are too few frames
        return None
    if not isinstance(header.get("msg_type"), str):
        return None
    return {
        "msg_type": header["msg_type"],
        "header": header,
        "parent_header": parent,
        "content": content,
        "buffers": frames[start + 4 :],
    }


def _json_object(frame: bytes) -> dict[str, Any]:
    if len(frame) > JSON_BYTES:
        raise ValueError(f"{len(frame)} bytes of JSON")
    value = json.loads(frame)
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004  (malformed is malformed)
    return value


class Channel(AsyncZMQSocketChannel):
    """A channel that passes over whatever is no message."""

    async def get_msg(self, timeout: float | None = None) -> Message:  # type: ignore[override]  # as its base class
        """The next message; Empty after `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout):
                while True:
                    message = parse(await self.socket.recv_multipart())
                    await asyncio.sleep(0)  # a flood must not keep clocks from going off
                    if message is not None:
                        return message
        except TimeoutError:
            raise Empty from None


class Client(AsyncKernelClient):
    """A Jupyter client with these channels, and sockets that accept no more than they should."""

    shell_channel_class = Type(Channel)
    iopub_channel_class = Type(Channel)

    def _create_connected_socket(self, channel: str, identity: bytes | None = None) -> zmq.Socket[Any]:
        """As its base class, which lets what cannot reach a dead kernel any more hold up the end for a second."""
        sock = self.context.socket(channel_socket_types[channel])
        sock.linger = 0
        if channel == "shell":
            sock.maxmsgsize, sock.rcvhwm = SHELL_BYTES, 0  # answers are asked for, one by one
            sock.sndtimeo = 0  # once a kernel has closed its end, a send would wait for ever
        else:
            sock.maxmsgsize, sock.rcvhwm = JSON_BYTES, WAITING
        if identity:
            sock.identity = identity
        sock.connect(self._make_url(channel))
        return sock
