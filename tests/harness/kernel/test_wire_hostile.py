"""Whatever bytes arrive, `decode` gives plain data or raises WireError, soon. Round trips: test_wire.py."""

import itertools
import json
import math
import re
import tracemalloc
from contextlib import suppress

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.kernel.wire import (
    _READERS,
    CAPS,
    COLLISIONS,
    DIMENSIONS,
    STRUCTURE_PER_NODE,
    Caps,
    Reference,
    WireError,
    decode,
    encode,
)

# The same examples every time, and no clock: the machine may be busy.
STEADY = settings(derandomize=True, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow])

SAMPLE = {
    "plain": [None, True, 1, -(2**53), 2.5, -0.0, "é\0", "\ud800", b"x"],
    ("long", 2**64): (math.inf, math.nan, 1 + 2j, {1, "a", (2, b"y")}, frozenset({3})),
    "dense": [np.arange(3), np.zeros(100), np.float32(1), torch.ones(2, 2), torch.zeros(100), np.zeros(3, bool)],
    "big": [b"x" * 300, Reference(3, "Tokenizer")],
}
MESSAGE = [bytes(part) for part in encode(SAMPLE)]

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 2**60)
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["<f8", "00"]),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=8), inner, max_size=2),
    max_leaves=15,
)
TAGS = sorted(_READERS)


def message(node: str, *buffers: bytes) -> list[bytes]:
    return [f'{{"version":1,"value":{node}}}'.encode(), *buffers]


def written(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def attempt(parts: list[bytes]) -> None:
    """Decode what may be anything: a value that encodes again, or WireError; any other exception fails the test."""
    try:
        value = decode(parts)
    except WireError:
        return
    encode(value)


# Anything at all ------------------------------------------------------------------------------------------------------


@STEADY
@given(st.lists(st.binary(), max_size=4))
def test_random_bytes(parts):
    attempt(parts)


@STEADY
@given(JSON, st.lists(st.binary(max_size=20), max_size=2))
def test_random_json(value, buffers):
    attempt(message(written(value), *buffers))


@STEADY
@given(st.sampled_from(TAGS), JSON, st.lists(st.binary(max_size=20), max_size=2))
def test_random_bodies_of_every_type(tag, body, buffers):
    attempt(message(written({tag: body}), *buffers))


@STEADY
@given(
    st.sampled_from(["array", "tensor"]),
    st.sampled_from(["<f8", "|b1", ">i2", "float32", "bool", "bfloat16", "qint8", "O", "<U4"]),
    st.lists(st.integers(-2, 2**70) | st.integers(0, 3) | st.booleans() | st.floats(), max_size=4),
    st.integers(-1, 2) | st.binary(max_size=16).map(bytes.hex),
    st.binary(max_size=64),
)
def test_random_arrays(tag, dtype, shape, payload, buffer):
    device = ["cpu"] if tag == "tensor" else []
    attempt(message(written({tag: [dtype, shape, *device, payload]}), buffer))


@STEADY
@given(st.data())
def test_mutated_messages(data):
    parts = [bytearray(part) for part in MESSAGE]
    for _ in range(data.draw(st.integers(1, 3))):
        part = parts[data.draw(st.integers(0, len(parts) - 1))]
        start = data.draw(st.integers(0, len(part)))
        end = data.draw(st.integers(start, min(start + 4, len(part))))
        part[start:end] = data.draw(
            st.sampled_from(b'[]{}",:0189.-aef\\').map(lambda byte: bytes([byte])) | st.binary(max_size=4)
        )
    attempt([bytes(part) for part in parts])


@STEADY
@given(st.data())
def test_mutated_documents_in_canonical_form(data):
    """The mutation survives the canonical check, so the readers themselves are reached."""
    document = json.loads(MESSAGE[0])

    def mutate(node):
        if data.draw(st.integers(0, 30)) == 0:
            return data.draw(JSON)
        if isinstance(node, list):
            return [mutate(inner) for inner in node]
        return {key: mutate(inner) for key, inner in node.items()} if isinstance(node, dict) else node

    attempt([written(mutate(document)).encode(), *MESSAGE[1:]])


@STEADY
@given(st.permutations(MESSAGE), st.integers(0, len(MESSAGE)))
def test_parts_out_of_order_or_missing(parts, kept):
    attempt(parts[:kept])


# One lie at a time ----------------------------------------------------------------------------------------------------

LIES = {
    "no parts": ([], "not JSON"),
    "empty": ([b""], "not JSON"),
    "another version": ([b'{"version":2,"value":1}'], "version 2"),
    "version true": ([b'{"version":true,"value":1}'], "version True"),
    "no version": ([b'{"value":1}'], "version and value"),
    "one field more": ([b'{"version":1,"value":1,"x":1}'], "version and value"),
    "fields swapped": ([b'{"value":1,"version":1}'], "version and value"),
    "not an object": ([b"[1]"], "version and value"),
    "trailing data": ([b'{"version":1,"value":1} 1'], "not JSON"),
    "trailing space": ([b'{"version":1,"value":1} '], "canonical"),
    "byte order mark": (['{"version":1,"value":1}'.encode("utf-8-sig")], "ASCII"),
    "UTF-16": (['{"version":1,"value":1}'.encode("utf-16")], "not JSON"),
    "not ASCII": (message('"é"'), "ASCII"),
    "duplicate key": ([b'{"version":1,"value":1,"value":2}'], "canonical"),
    "second spelling": (message(r'"\u0041"'), "canonical"),
    "1e2": (message("1e2"), "canonical"),
    "-0": (message("-0"), "canonical"),
    "NaN": (message("NaN"), "NaN is not JSON"),
    "infinite number": (message("1e999"), "not a float"),
    "long integer": (message("9" * 5_000), "beyond 2**53"),
    "long float": (message("0." + "1" * 5_000), "not a float"),
    "plain big integer": (message(str(2**53 + 1)), "beyond 2**53"),
    "small integer in hexadecimal": (message('{"int":"5"}'), "small integer"),
    "leading zero": (message('{"int":"0100000000000000"}'), "hexadecimal integer"),
    "underscore": (message('{"int":"1_0000_0000_0000_0000"}'), "hexadecimal integer"),
    "integer in capitals": (message('{"int":"FFFFFFFFFFFFFFFF"}'), "hexadecimal integer"),
    "trailing newline": (message(r'{"int":"ffffffffffffffff\n"}'), "hexadecimal integer"),
    "float by name": (message('{"float":"infinity"}'), "not nan"),
    "complex of integers": (message('{"complex":[1,2]}'), "two floats"),
    "lone surrogate in JSON": (message(r'"\ud800"'), "surrogates"),
    "needless string bytes": (message('{"str":"41"}'), "without surrogates"),
    "broken string bytes": (message('{"str":"ff"}'), "string's bytes"),
    "hexadecimal with spaces": (message('{"bytes":"00 00"}'), "canonical hexadecimal"),
    "odd hexadecimal": (message('{"bytes":"000"}'), "not hexadecimal"),
    "unknown type": (message('{"pickle":"80"}'), "name of one type"),
    "two types": (message('{"tuple":[],"list":[]}'), "name of one type"),
    "no type": (message("{}"), "name of one type"),
    "key without value": (message('{"dict":["a"]}'), "key without a value"),
    "key twice": (message('{"dict":["a",1,"a",2]}'), "same key twice"),
    "equal keys": (message('{"dict":[1,1,true,2]}'), "same key twice"),
    "list as key": (message('{"dict":[[1],1]}'), "not hashable"),
    "array as key": (message('{"dict":[{"array":["|u1",[],"00"]},1]}'), "not a key"),
    "tensor as key": (message('{"dict":[{"tuple":[{"tensor":["uint8",[],"cpu","00"]}]},1]}'), "not a key"),
    "reference as key": (message('{"set":[{"reference":[1,"x"]}]}'), "stands in a key"),
    "buffer in a key": (message('{"set":[{"bytes":0}]}', b"x"), "points to a buffer"),
    "member twice": (message('{"set":[1,1]}'), "member twice"),
    "negative reference": (message('{"reference":[-1,"x"]}'), "not a reference"),
    "boolean reference": (message('{"reference":[true,"x"]}'), "not a reference"),
    "long name": (message(f'{{"reference":[1,"{"x" * 201}"]}}'), "not a reference"),
    "buffer out of range": (message('{"bytes":0}'), "next of 0 buffers"),
    "negative buffer": (message('{"bytes":-1}', b"x"), "next of 1 buffers"),
    "boolean buffer": (message('{"bytes":false}', b"x"), "next of 1 buffers"),
    "buffer used twice": (message('[{"bytes":0},{"bytes":0}]', b"x"), "next of 1 buffers"),
    "buffers out of order": (message('[{"bytes":1},{"bytes":0}]', b"x", b"y"), "next of 2 buffers"),
    "buffer never used": (message("1", b"x"), "0 are used"),
    "too few bytes": (message('{"array":["<f8",[2],0]}', b"x" * 15), "15 bytes for shape"),
    "too many bytes": (message('{"array":["<f8",[2],0]}', b"x" * 17), "17 bytes for shape"),
    "bytes for nothing": (message('{"array":["<f8",[0],"00"]}'), "1 bytes for shape"),
    "lying dtype": (message('{"array":["<f4",[2],0]}', b"x" * 16), "16 bytes for shape"),
    "object dtype": (message('{"array":["|O",[1],"0000000000000000"]}'), "not a dtype"),
    "dtype of a list": (message('{"array":[["<f8"],[1],"0000000000000000"]}'), "not a dtype"),
    "quantised dtype": (message('{"tensor":["qint8",[1],"cpu","00"]}'), "not a dtype"),
    "attribute of torch": (message('{"tensor":["load",[1],"cpu","00"]}'), "not a dtype"),
    "negative dimensions": (message('{"array":["|u1",[-1,-1],"00"]}'), "not a dimension"),
    "boolean dimension": (message('{"array":["|u1",[true],"00"]}'), "not a dimension"),
    "float dimension": (message('{"array":["|u1",[1.0],"00"]}'), "not a dimension"),
    "shape is no list": (message('{"array":["|u1",1,"00"]}'), "where a list belongs"),
    "announced size": (message('{"array":["<f8",[1099511627776],""]}'), "exceeds"),
    "product overflows": (message('{"array":["|u1",[4294967296,4294967296],""]}'), "exceeds"),
    "empty but vast": (message('{"tensor":["uint8",[0,1099511627776],"cpu",""]}'), "exceeds"),
    "too many dimensions": (
        message(f'{{"array":["|u1",{[1] * (DIMENSIONS + 1)},"00"]}}'.replace(" ", "")),
        "dimensions",
    ),
    "boolean 2": (message('{"array":["|b1",[2],"0102"]}'), "neither 0 nor 1"),
    "boolean 2 in a tensor": (message('{"tensor":["bool",[2],"cpu","0102"]}'), "neither 0 nor 1"),
    "boolean 2 as scalar": (message('{"scalar":["|b1","02"]}'), "not a scalar"),
    "scalar too long": (message('{"scalar":["<f4","0000000000000000"]}'), "not a scalar"),
    "big-endian scalar": (message('{"scalar":[">f4","00000000"]}'), "scalar's dtype"),
    "device with a path": (message('{"tensor":["uint8",[1],"cpu/../x","00"]}'), "not a device"),
    "a field missing": (message('{"array":["|u1",[1]]}'), "list of 3"),
    "a field too many": (message('{"tensor":["uint8",[1],"cpu","00",1]}'), "list of 4"),
}


@pytest.mark.parametrize(("parts", "why"), LIES.values(), ids=LIES)
def test_each_lie_is_named(parts, why):
    with pytest.raises(WireError, match=re.escape(why)):
        decode(parts)


def test_the_error_says_where():
    node = '{"dict":["args",{"tuple":[1,[2,{"array":["|O",[],"00"]}]]}]}'
    with pytest.raises(WireError, match=r"^value\['args'\]\[1\]\[1\]: '\|O' is not a dtype of this format$"):
        decode(message(node))


def test_the_error_quotes_little_of_what_came():
    for node in ('{"int":%s}', '{"array":[%s,[],""]}', '{"%s":1}' % ("x" * 10**6)):
        with pytest.raises(WireError) as refusal:
            decode(message(node.replace("%s", f"[{'0,' * 10**5}0]")))
        assert len(str(refusal.value)) < 200


def test_parts_that_are_not_bytes():
    with pytest.raises(WireError, match="contiguous bytes"):
        decode([memoryview(bytes(8))[::2]])


# Bombs ----------------------------------------------------------------------------------------------------------------


def collisions(number: int) -> str:
    """Distinct integers with one hash: multiples of the modulus of Python's integer hash."""
    modulus = 2**61 - 1
    return ",".join(f'{{"int":"{modulus * (index + 1):x}"}}' for index in range(number))


def test_few_keys_of_one_hash_are_fine():
    assert len(decode(message(f'{{"set":[{collisions(COLLISIONS)}]}}'))) == COLLISIONS


BOMBS = {
    "deep": "[" * 10_000_000 + "]" * 10_000_000,
    "deep but never closed": "[" * 10_000_000,
    "deep types": '{"tuple":[' * 2_000_000,
    "deep in a wrong place": '{"int":' + "[" * 900 + "]" * 900 + "}",
    "many lists": f"[{'[],' * 5_000_000}[]]",
    "many numbers": f"[{'0,' * 10_000_000}0]",
    "commas": "," * 30_000_000,
    "quotes that do not close": '"' + '[\\"' * 10_000_000,
    "backslashes": '"' + "\\" * 30_000_001,
    "one endless integer": "9" * 30_000_000,
    "one endless float": "0." + "9" * 30_000_000,
    "spaces": " " * 30_000_000 + "1",
    "colliding keys": f'{{"set":[{collisions(100_000)}]}}',
}


@pytest.mark.slow
@pytest.mark.parametrize("node", BOMBS.values(), ids=BOMBS)
def test_bombs_are_refused(node):
    with pytest.raises(WireError):
        decode(message(node))


def test_text_full_of_punctuation_is_not_a_bomb():
    text = ',[{"\\' * (STRUCTURE_PER_NODE * CAPS.nodes // 2)
    assert decode(encode([text])) == [text]


@pytest.mark.parametrize(
    ("parts", "most_bytes"),
    [
        (LIES["announced size"][0], 2**20),
        (LIES["product overflows"][0], 2**20),
        (LIES["empty but vast"][0], 2**20),
        (message(f"[{'[],' * 2_500_000}[]]"), 5 * 7_500_000),  # a few copies of the text, not the lists
    ],
    ids=["size", "product", "empty", "lists"],
)
def test_nothing_announced_is_allocated(parts, most_bytes):
    tracemalloc.start()
    with pytest.raises(WireError):
        decode(parts)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < most_bytes


@pytest.mark.parametrize(
    ("value", "caps"),
    [
        ([0] * 100, Caps(nodes=100)),
        ([[0]], Caps(depth=1)),
        (b"x" * 300, Caps(total_bytes=300)),
        ([b"x" * 300, b"y" * 300], Caps(buffers=1)),
        (np.zeros((1, 1, 1)), Caps(nodes=4)),
    ],
    ids=["nodes", "depth", "bytes", "buffers", "dimensions"],
)
def test_what_one_side_would_send_the_other_may_refuse(value, caps):
    parts = encode(value)
    decode(parts)
    with pytest.raises(WireError):
        decode(parts, caps=caps)


def fewest_nodes(value: object) -> int:
    """The smallest cap under which `value` can be encoded."""

    def fits(nodes: int) -> bool:
        with suppress(WireError):
            return bool(encode(value, caps=Caps(nodes=nodes)))
        return False

    return next(filter(fits, itertools.count(1)))


@pytest.mark.parametrize(
    "value",
    [
        np.array(1),
        np.zeros((1, 1, 2)),
        torch.tensor(1),
        np.float64(1),
        1j,
        complex(math.inf, math.nan),
        math.nan,
        2**64,
        b"",
        (),
        {},
        {1: {2: [3]}},
        {(1, 2)},
        Reference(1, "x"),
    ],
    ids=repr,
)
def test_both_sides_count_alike(value):
    """Nor does the quick count of brackets and commas refuse what the count of values allows."""
    values = [value] * 20
    nodes = fewest_nodes(values)
    assert len(decode(encode(values), caps=Caps(nodes=nodes))) == 20
    with pytest.raises(WireError, match=f"more than {nodes - 1} values"):
        decode(encode(values), caps=Caps(nodes=nodes - 1))
