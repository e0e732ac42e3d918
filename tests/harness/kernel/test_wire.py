"""Values cross and come back as what they were; what cannot cross says so. Hostile bytes: test_wire_hostile.py."""

import math
import re
import struct
import subprocess
import sys
import tracemalloc
import warnings
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from enum import IntEnum, StrEnum
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.kernel import wire
from harness.kernel.wire import (
    ARRAY_ITEM_BYTES,
    TENSOR_ITEM_BYTES,
    Caps,
    NotPlain,
    Reference,
    WireError,
    decode,
    encode,
)

# The same examples every time, and no clock: the machine may be busy.
STEADY = settings(derandomize=True, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow])

ANY_TEXT = st.text(st.characters())  # surrogates and NUL included
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(2**52, 2**55)
    | st.floats()
    | st.complex_numbers()
    | ANY_TEXT
    | st.binary()
)
KEYS = st.recursive(SCALARS, lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3), max_leaves=4)
VALUES = st.recursive(
    SCALARS | st.sets(KEYS, max_size=4) | st.frozensets(KEYS, max_size=4),
    lambda inner: (
        st.lists(inner, max_size=4) | st.lists(inner, max_size=4).map(tuple) | st.dictionaries(KEYS, inner, max_size=4)
    ),
    max_leaves=20,
)
ARRAY_DTYPES = sorted(ARRAY_ITEM_BYTES)
SCALAR_DTYPES = [dtype for dtype in ARRAY_DTYPES if dtype[0] != ">"]
TENSOR_DTYPES = [name for name in sorted(TENSOR_ITEM_BYTES) if hasattr(torch, name)]
SHAPES = st.lists(st.integers(0, 4), max_size=4).map(tuple)


def there_and_back(value: object) -> object:
    # Copies, as transport makes them: nothing may depend on sharing memory with what was encoded.
    return decode([bytes(part) for part in encode(value)])


def fields(value: object) -> object:
    """A value with every float as its bits and every type spelled out, so that == is exact, NaN payloads aside."""
    kind = type(value).__name__
    if isinstance(value, float):
        return kind, "nan" if math.isnan(value) else struct.pack("<d", value)
    if isinstance(value, complex):
        return kind, fields(value.real), fields(value.imag)
    if isinstance(value, list | tuple):
        return kind, [fields(inner) for inner in value]
    if isinstance(value, dict):
        return kind, [(fields(key), fields(inner)) for key, inner in value.items()]
    if isinstance(value, set | frozenset):
        return kind, sorted(repr(fields(inner)) for inner in value)
    return kind, value


def bits(tensor: torch.Tensor) -> bytes:
    return bytes(tensor.contiguous().reshape(-1).view(torch.uint8).tolist())


# Exactly the same -----------------------------------------------------------------------------------------------------


@STEADY
@given(VALUES)
def test_plain_values_come_back_with_their_types_and_bits(value):
    assert fields(there_and_back(value)) == fields(value)


@pytest.mark.parametrize("dtype", ARRAY_DTYPES)
@STEADY
@given(shape=SHAPES, data=st.data(), fortran=st.booleans())
def test_arrays_come_back_with_dtype_byte_order_shape_and_bytes(dtype, shape, data, fortran):
    size_bytes = math.prod(shape) * ARRAY_ITEM_BYTES[dtype]
    raw = data.draw(st.binary(min_size=size_bytes, max_size=size_bytes))
    if dtype == "|b1":
        raw = bytes(byte % 2 for byte in raw)
    array = np.frombuffer(raw, dtype=dtype).reshape(shape)  # read-only
    back = there_and_back(np.asfortranarray(array) if fortran and shape else array)
    assert type(back) is np.ndarray
    assert (back.dtype.str, back.shape, back.tobytes()) == (dtype, shape, raw)


@pytest.mark.parametrize("dtype", TENSOR_DTYPES)
@STEADY
@given(shape=SHAPES, data=st.data())
def test_tensors_come_back_with_dtype_shape_and_bytes(dtype, shape, data):
    size_bytes = math.prod(shape) * TENSOR_ITEM_BYTES[dtype]
    raw = data.draw(st.binary(min_size=size_bytes, max_size=size_bytes))
    if dtype == "bool":
        raw = bytes(byte % 2 for byte in raw)
    tensor = torch.tensor(list(raw), dtype=torch.uint8).view(getattr(torch, dtype)).reshape(shape)
    back = there_and_back(tensor)
    assert type(back) is torch.Tensor
    assert (back.dtype, tuple(back.shape), back.device.type) == (tensor.dtype, shape, "cpu")
    assert bits(back) == raw


def test_every_dense_dtype_of_torch_is_of_the_format_or_left_out_on_purpose():
    every = {str(value).removeprefix("torch.") for value in vars(torch).values() if isinstance(value, torch.dtype)}
    left_out = {name for name in every - set(TENSOR_ITEM_BYTES) if not name.startswith(("int", "uint", "bits", "q"))}
    assert left_out == {"complex32", "float4_e2m1fn_x2"}


@pytest.mark.parametrize("dtype", SCALAR_DTYPES)
def test_numpy_scalars_keep_their_exact_type(dtype):
    raw = b"\x01" * ARRAY_ITEM_BYTES[dtype]
    scalar = np.frombuffer(raw, dtype=dtype)[0]
    back = there_and_back([scalar])[0]
    assert type(back) is type(scalar)
    assert back.tobytes() == raw


def test_scalars_that_share_a_dtype_come_back_as_the_sized_one():
    assert type(there_and_back(np.longlong(5))) is np.int64
    assert type(there_and_back(np.ulonglong(5))) is np.uint64


NUMBERS = np.arange(24, dtype=np.float64).reshape(4, 6)


@pytest.mark.parametrize(
    "array",
    [
        NUMBERS.T,
        NUMBERS[::-1, ::2],
        NUMBERS[1:2, 3],
        NUMBERS[2:2],
        np.broadcast_to(np.float32(3), (5, 2)),
        np.array([1 + 2j, 3 + 4j]).imag,
        np.array(7),
    ],
    ids=["transposed", "reversed", "one element, long stride", "empty", "broadcast", "imaginary part", "0-d"],
)
def test_layout_in_memory_does_not_matter_for_arrays(array):
    back = there_and_back(array)
    assert np.array_equal(back, array)
    assert (back.dtype, back.shape) == (array.dtype, array.shape)


@pytest.mark.parametrize(
    "tensor",
    [
        torch.arange(24.0).reshape(4, 6).T,
        torch.arange(24.0).reshape(4, 6)[1:2, 3],
        torch.arange(24.0)[5:21:3],
        torch.tensor([2.5]).expand(5, 3),
        torch.tensor([1 + 2j, 3 + 4j]).conj(),
        torch.tensor([1 + 2j]).conj().imag,
        torch.tensor(7),
        torch.empty(0, 50_257),
    ],
    ids=["transposed", "one element, long stride", "strided", "expanded", "conjugate", "negated", "0-d", "empty"],
)
def test_layout_in_memory_does_not_matter_for_tensors(tensor):
    back = there_and_back(tensor)
    assert torch.equal(back, tensor)
    assert back.dtype == tensor.dtype


def test_gradients_stay_behind():
    weight = torch.nn.Parameter(torch.ones(3))
    for tensor in (weight, weight * 2):
        back = there_and_back(tensor)
        assert type(back) is torch.Tensor
        assert not back.requires_grad
        assert torch.equal(back, tensor.detach())


def test_integers_beyond_the_limit_on_decimal_digits():
    huge = 7**20_000
    assert there_and_back([huge, -huge]) == [huge, -huge]


def test_two_surrogates_do_not_become_one_character():
    assert there_and_back("\ud83d\ude00") == "\ud83d\ude00" != "\U0001f600"


def test_large_payloads_are_buffers_and_small_ones_text():
    small, large = b"x" * wire.INLINE_BYTES, b"x" * (wire.INLINE_BYTES + 1)
    assert len(encode([small, {large}])) == 1  # a set's members never have buffers
    assert encode([small, large])[1:] == [large]


def test_payloads_become_text_when_the_buffers_are_used_up():
    parts = encode([b"x" * 300, b"y" * 300, b"z" * 300], caps=Caps(buffers=1))
    assert len(parts) == 2
    assert decode(parts, caps=Caps(buffers=1)) == [b"x" * 300, b"y" * 300, b"z" * 300]


def test_contiguous_memory_is_not_copied_on_the_way_out():
    array, tensor = np.zeros(100), torch.zeros(100)
    _, first, second = encode([array, tensor])
    array[0] = tensor[0] = 1.0
    assert struct.unpack_from("<d", first) == struct.unpack_from("<f", second) == (1.0,)


# Copies ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [1, 1_000], ids=["inline", "buffer"])
def test_what_arrives_is_a_private_writable_copy(length):
    parts = [bytearray(part) for part in encode([np.zeros(length), torch.zeros(length)])]
    array, tensor = decode(parts)
    array[0] = tensor[0] = 1.0
    assert [bytes(part) for part in parts] == [bytes(part) for part in encode([np.zeros(length), torch.zeros(length)])]
    for part in parts[1:]:
        part[:] = b"\xff" * len(part)
    assert array.sum() == tensor.sum() == 1.0


def test_tensors_can_be_resized_on_both_sides():
    sent = torch.zeros(100)
    received = decode(encode(sent))
    assert sent.resize_(200).shape == received.resize_(200).shape


def test_the_same_object_twice_arrives_as_two():
    shared: list[int] = []
    first, second = there_and_back([shared, shared])
    assert first == second == []
    assert first is not second


# References -----------------------------------------------------------------------------------------------------------


def test_kept_objects_cross_as_references():
    kept: list[object] = []

    def keep(value: object) -> Reference:
        kept.append(value)
        return Reference(len(kept), wire.type_name(value))

    module = torch.nn.Linear(1, 1)
    parts = encode({"model": module, "n": 1}, keep=keep)
    assert decode(parts) == {"model": Reference(1, "Linear"), "n": 1}
    assert decode(parts, resolve=lambda reference: kept[reference.id - 1])["model"] is module


def test_a_reference_crosses_by_itself():
    assert there_and_back((Reference(0, "É"),)) == (Reference(0, "É"),)


@pytest.mark.parametrize(
    "reference", [Reference(-1, "x"), Reference(True, "x"), Reference(1, "x" * 201), "no reference"]
)
def test_a_malformed_reference_is_refused(reference):
    with pytest.raises(WireError, match="Reference"):
        encode(object(), keep=lambda _: reference)


# Subclasses -----------------------------------------------------------------------------------------------------------

Point = namedtuple("Point", "x y")
Colour = IntEnum("Colour", "RED GREEN")
Word = StrEnum("Word", "THE CAT")


def moved_to_end() -> OrderedDict[str, int]:
    ordered = OrderedDict(a=1, b=2)
    ordered.move_to_end("a")
    return ordered


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (Counter("aab"), {"a": 2, "b": 1}),
        (defaultdict(list, x=[1]), {"x": [1]}),
        (moved_to_end(), {"b": 2, "a": 1}),
        (Point(1, 2), (1, 2)),
        (torch.Size([2, 3]), (2, 3)),
        (Colour.GREEN, 2),
        (Word.CAT, "cat"),
        (np.str_("é"), "é"),
        (np.bytes_(b"x"), b"x"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_subclasses_cross_as_their_base(value, plain):
    assert fields(there_and_back(value)) == fields(plain)


# What cannot cross ----------------------------------------------------------------------------------------------------


def nested_tensor() -> torch.Tensor:
    with warnings.catch_warnings(action="ignore"):  # torch says that these are a prototype
        return torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])


def leaked_from_vmap() -> torch.Tensor:
    leaked: list[torch.Tensor] = []
    torch.func.vmap(lambda x: (leaked.append(x), x)[1])(torch.ones(3))
    return leaked[0]


@pytest.mark.parametrize(
    "make",
    [
        object,
        lambda: iter([]),
        lambda: (i for i in range(3)),
        lambda: range(3),
        lambda: {}.keys(),
        lambda: deque([1]),
        lambda: bytearray(b"x"),
        lambda: len,
        lambda: int,
        lambda: torch.nn.Linear(1, 1),
        lambda: torch.eye(2).to_sparse(),
        lambda: torch.empty(2, device="meta"),
        lambda: torch.float32,
        lambda: torch.zeros(2, dtype=torch.uint8).view(torch.float4_e2m1fn_x2),
        lambda: torch.ones(2).as_subclass(type("Mine", (torch.Tensor,), {})),
        nested_tensor,
        leaked_from_vmap,
        lambda: np.array([object()]),
        lambda: np.array(["a"]),
        lambda: np.array([b"a"]),
        lambda: np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
        lambda: np.array(["2020-01-01"], dtype="M8[D]"),
        lambda: np.array([1], dtype=np.longdouble),
        lambda: np.longdouble(1),
        lambda: np.datetime64("2020-01-01"),
        lambda: np.ones(2).view(type("Mine", (np.ndarray,), {})),
        lambda: np.ma.masked_array([1, 2], mask=[True, False]),
    ],
)
def test_other_objects_are_refused_by_name_and_place(make):
    value = make()
    with pytest.raises(NotPlain) as refusal:
        encode({"args": (0, [value])})
    assert str(refusal.value).startswith("value['args'][1][0]: ")


def test_the_refusal_names_type_and_way_out():
    with pytest.raises(NotPlain, match=r"^value\[0\]: an object of type ndarray .*dtype str.*tolist"):
        encode([np.array(["a"])])


def hashable(base: type, content: object) -> object:
    return type("Hashable", (base,), {"__hash__": lambda self: 1})(content)


@pytest.mark.parametrize(
    "key",
    [
        torch.ones(1),
        Reference(1, "x"),
        object(),
        hashable(list, [1]),
        hashable(dict, {1: 1}),
        hashable(set, {1}),
        hashable(tuple, ([1],)),
        hashable(tuple, (np.ones(1),)),
    ],
    ids=["tensor", "reference", "object", "list", "dict", "set", "list in a tuple", "array in a tuple"],
)
def test_keys_and_members_are_plain_even_where_objects_are_kept(key):
    for container in ({key: 1}, {key}, {(1, key): 1}):
        with pytest.raises(NotPlain, match="inside a key or a set"):
            encode(container, keep=lambda value: Reference(1, "x"))


@pytest.mark.parametrize("container", ["list", "dict", "tuple in list"])
def test_a_value_that_contains_itself_is_an_error(container):
    cyclic: list[object] | dict[str, object] = {} if container == "dict" else []
    if isinstance(cyclic, dict):
        cyclic["me"] = cyclic
    else:
        cyclic.append((cyclic,) if container == "tuple in list" else cyclic)
    with pytest.raises(WireError, match="contains itself"):
        encode(cyclic)


WRAPPINGS = {"list": lambda x: [x], "tuple": lambda x: (x,), "dict": lambda x: {1: x}, "key": lambda x: frozenset([x])}


def nested(levels: int, wrap=WRAPPINGS["list"]) -> object:
    value = 0
    for _ in range(levels):
        value = wrap(value)
    return value


@pytest.mark.parametrize("wrap", WRAPPINGS.values(), ids=WRAPPINGS)
def test_depth_is_capped_on_both_sides(wrap):
    assert decode(encode(nested(64, wrap))) == nested(64, wrap)
    with pytest.raises(WireError, match="deeper than 64"):
        encode(nested(65, wrap))
    with pytest.raises(WireError, match="deeper than 64"):
        decode(encode(nested(65, wrap), caps=Caps(depth=65)))


@pytest.mark.parametrize("wrap", WRAPPINGS.values(), ids=WRAPPINGS)
def test_siblings_do_not_add_to_the_depth(wrap):
    value = [wrap(number) for number in range(100)]
    assert there_and_back(value) == value


def test_the_recursion_limit_never_shows():
    with pytest.raises(WireError, match="stack"):
        encode(nested(5_000), caps=Caps(depth=10_000))
    with pytest.raises(WireError, match="stack"):
        decode([b'{"version":1,"value":' + b"[" * 600 + b"]" * 600 + b"}"], caps=Caps(depth=10_000))


@pytest.mark.parametrize(
    ("value", "caps"),
    [
        ([0] * 10, Caps(nodes=10)),
        ({1: 1, 2: 2}, Caps(nodes=4)),
        (np.zeros((1, 1, 1)), Caps(nodes=4)),
        ("x" * 100, Caps(total_bytes=100)),
        (b"x" * 100, Caps(total_bytes=100)),
        (1 << 400, Caps(total_bytes=100)),
        ([torch.zeros(15), torch.zeros(15)], Caps(total_bytes=100)),
        (torch.zeros(1).expand(10**12), Caps()),
        (np.broadcast_to(np.int8(0), (2**40,)), Caps()),
        (np.zeros((0, 10**9)), Caps()),
    ],
    ids=lambda value: wire.type_name(value),
)
def test_too_much_is_an_error_before_it_is_built(value, caps):
    with pytest.raises(WireError):
        encode(value, caps=caps)


@pytest.mark.parametrize(
    "shared",
    ["x" * 10**5, 1 << 4 * 10**5, frozenset([b"x" * 10**5]), np.zeros((100, 1_000), np.int8).T],
    ids=["str", "int", "bytes in a set", "transposed array"],
)
def test_a_small_value_repeated_is_refused_before_it_is_written_out(shared):
    tracemalloc.start()
    with pytest.raises(WireError):
        encode([shared] * 1_000, caps=Caps(total_bytes=10**6))
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 10**7  # a tenth of what it would be


# Code of the student's never runs -------------------------------------------------------------------------------------


class Trap:
    """Raises at whatever a careless encoder might ask of it."""

    def _spring(self, *_args, **_kwargs):
        raise AssertionError("code of the value was run")

    __repr__ = __str__ = __len__ = __iter__ = __eq__ = __hash__ = __bool__ = __index__ = __int__ = __float__ = _spring
    __array__ = __getitem__ = __contains__ = __next__ = __complex__ = __bytes__ = __getattr__ = __reduce_ex__ = _spring
    keys = items = values = copy = tolist = numpy = tobytes = detach = _spring
    __class__ = property(_spring)
    dtype = shape = ndim = __dict__ = property(_spring)


class Meta(type):
    """A class that raises, or lies, at whatever is asked of itself."""

    def _spring(cls, *_args):
        raise AssertionError("code of the class was run")

    __hash__ = __eq__ = __instancecheck__ = __subclasscheck__ = __repr__ = _spring
    __name__ = __mro__ = __bases__ = __dict__ = property(_spring)
    __getattribute__ = _spring


@pytest.mark.parametrize(
    "base",
    [int, float, complex, str, bytes, list, tuple, dict, OrderedDict, set, frozenset],
    ids=lambda base: base.__name__,
)
@pytest.mark.parametrize("metaclass", [type, Meta])
def test_subclasses_are_read_from_their_storage(base, metaclass):
    content = {str: "été", bytes: b"x", list: [1], tuple: (1,), set: {1}, frozenset: {1}}
    arguments = () if base is OrderedDict else ([(1, 2)],) if base is dict else (content.get(base, 3),)
    overriding = {name: value for name, value in vars(Trap).items() if name not in ("__dict__", "__weakref__")}
    if base in (dict, OrderedDict):
        overriding.pop("keys")  # its own constructor would ask
    trapped = metaclass("Trapped", (base,), overriding)
    plain = dict if base is OrderedDict else base
    value = base.__new__(trapped, *arguments)
    if base in (list, dict, set):  # the others are filled when they are made
        base.__init__(value, *arguments)
    assert fields(there_and_back((value,))) == fields((plain(*arguments),))


@pytest.mark.parametrize("metaclass", [type, Meta])
def test_objects_that_only_pretend_are_refused_without_asking_them(metaclass):
    trapped = metaclass("Trapped", (Trap,), {})
    with pytest.raises(NotPlain, match="of type Trapped"):
        encode([object.__new__(trapped)])


@pytest.mark.parametrize("pretended", [list, np.ndarray, torch.Tensor, np.float64])
def test_a_false_class_attribute_deceives_nobody(pretended):
    class Pretender:
        __class__ = pretended

    with pytest.raises(NotPlain, match="of type Pretender"):
        encode(Pretender())


# Fingerprints ---------------------------------------------------------------------------------------------------------


@STEADY
@given(VALUES)
def test_a_copy_has_the_same_fingerprint(value):
    assert wire.fingerprint(there_and_back(value)) == wire.fingerprint(value)


@pytest.mark.parametrize("length", [3, 1_000])
def test_a_change_in_place_changes_the_fingerprint(length):
    arguments = ([np.zeros(length)], {"mask": torch.zeros(length), "names": {"a"}})
    seen = {wire.fingerprint(arguments)}
    arguments[0][0][-1] = 1
    seen.add(wire.fingerprint(arguments))
    arguments[1]["mask"][0] = 1
    seen.add(wire.fingerprint(arguments))
    arguments[1]["names"].add("b")
    seen.add(wire.fingerprint(arguments))
    assert len(seen) == 4


def test_where_one_part_ends_is_part_of_the_fingerprint():
    assert wire.fingerprint([b"x" * 300, b"x" * 301]) != wire.fingerprint([b"x" * 301, b"x" * 300])


def test_sets_have_one_spelling():
    forth, back = {0, 8}, {8, 0}  # collide in a small table: iteration follows insertion
    assert list(forth) != list(back)
    assert encode(forth) == encode(back)


# Alone ----------------------------------------------------------------------------------------------------------------

ALONE = """
import sys
sys.path.insert(0, sys.argv[1])
import wire
value = {"a": [1, 2.5, 2**80, "\\ud800", b"x" * 1000, {1}, float("inf")], (1, 2): None}
assert wire.decode(wire.encode(value)) == value
try:
    wire.encode(object())
except wire.NotPlain:
    pass
assert not {"numpy", "torch", "harness", "pickle"} & set(sys.modules), sorted(sys.modules)
"""


def test_the_file_runs_alone(tmp_path):
    (tmp_path / "wire.py").write_bytes(Path(wire.__file__).read_bytes())
    subprocess.run([sys.executable, "-I", "-S", "-c", ALONE, str(tmp_path)], check=True, cwd=tmp_path)


# Documentation --------------------------------------------------------------------------------------------------------


def test_the_specification_names_every_type_and_dtype():
    page = (Path(__file__).parents[3] / "docs" / "wire.md").read_text(encoding="utf-8")
    assert set(re.findall(r'`\{"(\w+)":', page)) == set(wire._READERS)
    assert f"version {wire.VERSION}" in page.splitlines()[0]
    named = set(re.findall(r"\w+", page)) | {"int16", "int32", "uint16", "uint32"}  # given as "`int8` to `int64`"
    assert {dtype[1:] for dtype in ARRAY_ITEM_BYTES} | set(TENSOR_ITEM_BYTES) <= named


# Accelerators ---------------------------------------------------------------------------------------------------------


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
def test_tensors_leave_the_accelerator_and_land_where_asked():
    tensor = torch.arange(1_000.0, device="cuda", requires_grad=True)
    parts = [bytes(part) for part in encode(tensor)]
    assert decode(parts).device.type == "cpu"
    there = decode(parts, device="cuda")
    assert there.device.type == "cuda"
    assert torch.equal(there, tensor.detach())
