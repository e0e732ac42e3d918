"""What is packed is what is unpacked; cut short, it is an error wherever the cut is."""

import json
import os

import pytest

from harness.sandbox.warm.parcel import LENGTH_BYTES, pack, unpack

FACTS = {"work": "/home/student", "environment": {"NAME": "épreuve"}, "limits": {"RLIMIT_CORE": 0}}
GROUPS = {"work": {"notes.txt": b"given", "data/empty.bin": b"", "data/all.bin": bytes(range(256))}, "trusted": {}}


@pytest.fixture
def whole() -> bytes:
    number = pack(FACTS, GROUPS)
    try:
        return os.pread(number, 1 << 20, 0)
    finally:
        os.close(number)


def unpacked(content: bytes) -> object:
    number = os.memfd_create("parcel")
    try:
        os.write(number, content)
        return unpack(number)
    finally:
        os.close(number)


def test_facts_and_files_arrive(whole: bytes) -> None:
    assert unpacked(whole) == (FACTS, GROUPS)


def test_nothing_at_all() -> None:
    number = pack({}, {})
    assert unpack(number) == ({}, {})
    os.close(number)


def test_every_cut_is_noticed(whole: bytes) -> None:
    for length in range(len(whole)):
        with pytest.raises(EOFError, match="early"):
            unpacked(whole[:length])


def test_contents_follow_the_facts(whole: bytes) -> None:
    size = int.from_bytes(whole[:LENGTH_BYTES], "big")
    assert json.loads(whole[LENGTH_BYTES : LENGTH_BYTES + size])["facts"] == FACTS
    assert whole[LENGTH_BYTES + size :] == b"".join(GROUPS["work"].values())
