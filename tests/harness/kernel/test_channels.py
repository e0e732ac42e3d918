"""Whatever frames arrive, a message comes out only when it is one."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.kernel.channels import DELIMITER, JSON_BYTES, parse


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
