"""Whatever frames arrive, a message comes out only when it is one."""

import asyncio
import json
import time

import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st

from harness.kernel import wire
from harness.kernel.channels import DELIMITER, JSON_BYTES, SHELL_BYTES, WAITING, Client, context, parse
from harness.records import Outcome


def frames(
    header: object = {"msg_type": "x"}, parent: object = {}, content: object = {}, *buffers: bytes
) -> list[bytes]:
    return [
        b"identity",
        DELIMITER,
        b"signature",
        *(json.dumps(part).encode() for part in (header, parent, {}, content)),
        *buffers,
    ]


def test_a_message_is_read_with_its_buffers():
    message = parse(frames({"msg_type": "reply", "more": 1}, {"msg_id": "m"}, {"a": [1]}, b"\0raw", b""))
    assert message == {
        "msg_type": "reply",
        "header": {"msg_type": "reply", "more": 1},
        "parent_header": {"msg_id": "m"},
        "content": {"a": [1]},
        "buffers": [b"\0raw", b""],
    }


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        [b"x"],
        [DELIMITER],
        frames()[:-1],
        frames(header={}),
        frames(header={"msg_type": ["x"]}),
        frames(header=[]),
        frames(parent=None),
        frames(content="text"),
        [*frames()[:-1], b"\xff\xfe"],
        [*frames()[:-1], b"[" * 100_000],
        [*frames()[:-1], b'{"a":' * 50_000],
        [*frames()[:-1], b'{"a": ' + b"9" * 10_000 + b"}"],
        frames(content={"a": "x" * JSON_BYTES}),
    ],
    ids=lambda wrong: f"{len(wrong)} frames, {sum(map(len, wrong))} bytes",
)
def test_what_is_no_message_is_none(wrong):
    assert parse(wrong) is None


@given(
    st.lists(
        st.one_of(st.binary(max_size=40), st.just(DELIMITER), st.just(b"{}"), st.just(b'{"msg_type": "x"}')), max_size=9
    )
)
def test_any_frames_at_all_are_read_or_passed_over(some):
    message = parse(some)
    assert message is None or message["msg_type"] == "x"


def test_sockets_take_no_more_than_they_should_and_never_wait_for_a_kernel(tmp_path):
    async def options() -> dict[str, tuple[int, int, int, int]]:
        client = Client(context=context(), transport="ipc", ip=str(tmp_path / "k"), shell_port=1, iopub_port=2)
        sockets = {"shell": client.connect_shell(), "iopub": client.connect_iopub()}
        found = {name: (s.maxmsgsize, s.rcvhwm, s.linger, s.reconnect_ivl) for name, s in sockets.items()}
        client.context.destroy()
        return found

    assert asyncio.run(options()) == {"shell": (SHELL_BYTES, 0, 0, -1), "iopub": (JSON_BYTES, WAITING, 0, -1)}


def test_nothing_is_sent_for_ever_to_a_kernel_that_is_gone(opened):
    live = opened("x = 1")
    live.run_cells()
    kernel = live._starts._kernel
    socket = kernel.client.shell_channel.socket
    kernel.process.end()
    until = time.monotonic() + 60
    while socket.get(zmq.EVENTS) & zmq.POLLOUT and time.monotonic() < until:
        time.sleep(0.01)  # until the socket knows too
    assert not socket.get(zmq.EVENTS) & zmq.POLLOUT
    exchange = live._loop.run(kernel.exchange([wire.encode(("defined", ()))], seconds=30.0))
    assert exchange.replies == []
    assert exchange.ended is Outcome.CRASHED
