"""The wire format: plain values as canonical JSON plus raw buffers, both ways, between the grader and a kernel.

The same file serves the grader (trusted) and, copied as `wire.py`, the student's kernel: it imports the standard
library alone, and meets NumPy and torch only where a value needs them. docs/wire.md says what each type becomes.

Covered: encoding without calling a method that a student could override; decoding of hostile bytes, where everything is
checked before it is allocated and nothing but `WireError` comes out.
Not covered: transport, nonces and the meaning of a message (live.py, probe.py); whether a value is true.
"""

import functools
import hashlib
import json
import math
import re
import reprlib
import sys
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from types import NoneType
from typing import Any

VERSION = 1
INLINE_BYTES = 256  # smaller payloads are hexadecimal text: below this, a message part of its own costs more
PLAIN_INT = 2**53  # the largest magnitude written as a JSON number, exact in every JSON reader
NUMBER_CHARACTERS = 26  # the longest canonical literal is shorter: -1.7976931348623157e+308
NAME_CHARACTERS = 200  # of a type's name: enough to recognise it, too short to flood a page
DIMENSIONS = 64  # NumPy's own limit
COLLISIONS = 16  # keys that share one hash: honest data has two, hundreds make a dict quadratic
STRUCTURE_PER_NODE = 4  # brackets and commas that one counted node needs at most

ARRAY_ITEM_BYTES = {
    order + code: int(code[1:])
    for orders, codes in (("|", "b1 i1 u1"), ("<>", "i2 i4 i8 u2 u4 u8 f2 f4 f8 c8 c16"))
    for order in orders
    for code in codes.split()
}
TENSOR_ITEM_BYTES = {
    name: size
    for size, names in {
        1: "bool uint8 int8 float8_e4m3fn float8_e5m2 float8_e4m3fnuz float8_e5m2fnuz float8_e8m0fnu",
        2: "int16 uint16 float16 bfloat16",
        4: "int32 uint32 float32",
        8: "int64 uint64 float64 complex64",
        16: "complex128",
    }.items()
    for name in names.split()
}
BOOLEANS = ("|b1", "bool")

_HEXADECIMAL_INT = re.compile(r"-?[1-9a-f][0-9a-f]*")
# Possessive, and content with a missing end: it cannot fail after a long look, so reading takes linear time.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_DEVICE = re.compile(r"[a-z]{1,16}(:[0-9]{1,4})?")
_short = reprlib.repr  # cut in length and in depth; given only what is known to be plain
_type_name = type.__dict__["__name__"].__get__  # a metaclass cannot override this


@dataclass(frozen=True, slots=True)
class Caps:
    """What one message may cost; both sides refuse more."""

    total_bytes: int = 64 * 2**20  # all parts together; also any array's shape times item size, zeros taken as ones
    nodes: int = 1_000_000  # values, keys included; a complex counts 3, an array 2 plus its dimensions
    depth: int = 64  # levels of containers
    buffers: int = 10_000  # parts after the first


CAPS = Caps()


class _Located(Exception):
    """An error that knows where in the value it arose: each container it passes adds its step."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.steps: list[str] = []  # innermost first

    def __str__(self) -> str:
        return f"value{''.join(reversed(self.steps))}: {self.problem}"


class WireError(_Located, ValueError):
    """A message is malformed, or a value is too big to be one; says what and where."""


class NotPlain(_Located, TypeError):
    """An object that cannot cross; names its type and, where there is one, the way out."""


@dataclass(frozen=True, slots=True)
class Reference:
    """An object that stays in the kernel."""

    id: int  # from 0
    type_name: str  # for people, at most NAME_CHARACTERS


Keep = Callable[[object], Reference]
Resolve = Callable[[Reference], object]


def encode(value: object, *, keep: Keep | None = None, caps: Caps = CAPS) -> list[bytes | memoryview]:
    """The message that stands for `value`: JSON, then the buffers it points to.

    Buffers show the memory of contiguous CPU arrays and tensors without a copy: send them before those change.

    Args:
        value: plain data; subclasses of the built-in containers, strings and numbers cross as their base type.
        keep: called with each object that cannot cross (never inside keys); what it returns crosses instead.
        caps: what the message may cost.
    Raises:
        NotPlain: an object cannot cross and there is no `keep`.
        WireError: the value exceeds `caps`, contains itself, or holds a malformed `Reference`.
    """
    writer = _Writer(keep, caps)
    try:
        text = _canonical({"version": VERSION, "value": writer.node(value)})
    except RecursionError as error:
        raise WireError("no stack left to encode it: it nests too deeply, or the recursion limit is too low") from error
    parts: list[bytes | memoryview] = [text.encode("ascii"), *writer.buffers]
    _check_total(parts, caps)
    return parts


def decode(
    parts: Sequence[bytes | memoryview],
    *,
    resolve: Resolve | None = None,
    caps: Caps = CAPS,
    device: str | None = None,
) -> Any:
    """The value that `parts` stand for, sharing no memory with them; any bytes at all may be given.

    Args:
        parts: as `encode` returns them.
        resolve: turns each `Reference` into what stands in its place; without it the `Reference` itself does.
        caps: what the message may cost.
        device: where tensors land, the CPU when None; the device they came from is not used.
    Raises:
        WireError: the parts are not a message of this version, or exceed `caps`.
    """
    views = [_view(part) for part in parts]
    _check_total(views, caps)
    if len(views) > caps.buffers + 1:
        raise WireError(f"{len(views) - 1} buffers, at most {caps.buffers} are allowed")
    reader = _Reader(views[1:], resolve=resolve, caps=caps, device=device)
    try:
        return reader.whole(_parse(bytes(views[0]) if views else b"", caps))
    except RecursionError as error:
        raise WireError("no stack left to decode it: it nests too deeply") from error


def fingerprint(value: object, *, keep: Keep | None = None, caps: Caps = CAPS) -> str:
    """SHA-256 of the encoding, hexadecimal: equal for values that no decoder could tell apart. Raises as `encode`."""
    digest = hashlib.sha256()
    for part in encode(value, keep=keep, caps=caps):
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()


def type_name(value: object) -> str:
    """The name of the type of `value`, capped, without running any code of the value's."""
    return str.__str__(_type_name(type(value)))[:NAME_CHARACTERS]


def _canonical(document: object) -> str:
    """The one way to write a JSON document."""
    return json.dumps(document, separators=(",", ":"), allow_nan=False, check_circular=False)


def _check_total(parts: Iterable[bytes | memoryview], caps: Caps) -> None:
    total_bytes = sum(map(len, parts))
    if total_bytes > caps.total_bytes:
        raise WireError(f"the message has {total_bytes} bytes, at most {caps.total_bytes} are allowed")


def _check_shape(shape: Sequence[int], item_bytes: int, caps: Caps) -> None:
    """Refuse shapes whose size, or whose size once an empty axis is summed away, exceeds the cap."""
    if len(shape) > DIMENSIONS:
        raise WireError(f"{len(shape)} dimensions, at most {DIMENSIONS} are allowed")
    reach_bytes = item_bytes
    for length in shape:
        reach_bytes *= max(length, 1)
        if reach_bytes > caps.total_bytes:
            raise WireError(f"shape {_short(list(shape))} exceeds {caps.total_bytes} bytes")


def _has_surrogates(text: str) -> bool:
    """Whether `text` holds code points that no UTF encoding may carry."""
    if text.isascii():
        return False
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


def _step(key: object, position: int) -> str:
    """How a dictionary's entry is named in an error."""
    return (
        f"[{_short(key)}]" if type(key) is str or (type(key) is int and abs(key) <= PLAIN_INT) else f"[key {position}]"
    )


class _Walk:
    """What writing and reading share: how much of the caps is left, and where in the value we are."""

    def __init__(self, caps: Caps) -> None:
        self.caps = caps
        self.nodes_left = caps.nodes
        self.depth = 0  # containers around the current value
        self.keys_open = 0  # keys and set members around it

    def count(self, nodes: int) -> None:
        """Take note of `nodes` more values."""
        self.nodes_left -= nodes
        if self.nodes_left < 0:
            raise WireError(f"more than {self.caps.nodes} values")

    def enter(self) -> None:
        """Go into a container; there is no way out after an error, the walk ends with it."""
        self.depth += 1
        if self.depth > self.caps.depth:
            raise WireError(f"nested deeper than {self.caps.depth} levels, or a container that contains itself")

    def leave(self) -> None:
        """Come out of a container."""
        self.depth -= 1


# Writing ------------------------------------------------------------------------------------------------------------


class _Writer(_Walk):
    """Turns one value into JSON nodes and buffers."""

    def __init__(self, keep: Keep | None, caps: Caps) -> None:
        super().__init__(caps)
        self.keep = keep
        self.buffers: list[memoryview] = []
        self.bytes_left = caps.total_bytes

    def node(self, value: object) -> Any:
        """The JSON that stands for `value`."""
        self.count(1)
        kind = type(value)
        # A class with its own metaclass could answer a dictionary's question with code of its own.
        write = _WRITERS.get(kind) if type(kind) is type else None
        return (write or _writer_of_other(kind))(self, value)

    def key(self, value: object) -> Any:
        """The JSON that stands for a key or a set's member: hashable by value, no buffer."""
        self.keys_open += 1
        node = self.node(value)
        self.keys_open -= 1
        return node

    def nodes(self, values: Iterable[object]) -> list[Any]:
        """The members of a container."""
        self.enter()
        nodes: list[Any] = []
        try:
            for value in values:
                nodes.append(self.node(value))  # noqa: PERF401  (its length is read when this fails)
        except _Located as error:
            error.steps.append(f"[{len(nodes)}]")
            raise
        self.leave()
        return nodes

    def spend(self, size_bytes: int) -> None:
        self.bytes_left -= size_bytes
        if self.bytes_left < 0:
            raise WireError(f"more than {self.caps.total_bytes} bytes")

    def payload(self, data: bytes | memoryview) -> str | int:
        """Raw bytes: as text when they are few or belong to a key, else as the index of a buffer."""
        if len(data) <= INLINE_BYTES or self.keys_open or len(self.buffers) >= self.caps.buffers:
            self.spend(2 * len(data))  # characters
            return data.hex()
        self.spend(len(data))
        self.buffers.append(memoryview(data).toreadonly())
        return len(self.buffers) - 1

    def refuse(self, value: object, hint: str = ": it is no plain data") -> Any:
        """Keep an object that cannot cross, or say that it cannot."""
        if self.keep is None or self.keys_open:
            place = " inside a key or a set" if self.keys_open else ""
            raise NotPlain(f"an object of type {type_name(value)} cannot cross{place}{hint}")
        return _write_reference(self, self.keep(value))


def _write_as_it_is(_writer: _Writer, value: Any) -> Any:
    return value


def _write_int(writer: _Writer, value: int) -> Any:
    value = int.__index__(value)
    if -PLAIN_INT <= value <= PLAIN_INT:
        return value
    writer.spend(value.bit_length() // 4)
    return {"int": format(value, "x")}


def _write_float(_writer: _Writer, value: float) -> Any:
    value = float.__float__(value)
    return value if math.isfinite(value) else {"float": repr(value)}


def _write_complex(writer: _Writer, value: complex) -> Any:
    value = complex.__complex__(value)
    return {"complex": [writer.node(value.real), writer.node(value.imag)]}


def _write_str(writer: _Writer, value: str) -> Any:
    value = str.__str__(value)
    writer.spend(len(value))
    if _has_surrogates(value):
        return {"str": value.encode("utf-8", "surrogatepass").hex()}
    return value


def _write_bytes(writer: _Writer, value: bytes) -> Any:
    return {"bytes": writer.payload(bytes.__bytes__(value))}


def _write_list(writer: _Writer, value: list[Any]) -> Any:
    if writer.keys_open:
        return writer.refuse(value)
    return writer.nodes(list.copy(value))


def _write_tuple(writer: _Writer, value: tuple[Any, ...]) -> Any:
    return {"tuple": writer.nodes(tuple.__iter__(value))}


def _write_items(writer: _Writer, value: object, items: list[tuple[object, object]]) -> Any:
    if writer.keys_open:
        return writer.refuse(value)
    writer.enter()
    nodes: list[Any] = []
    for position, (key, inner) in enumerate(items):
        try:
            nodes += (writer.key(key), writer.node(inner))
        except _Located as error:
            error.steps.append(_step(key, position))
            raise
    writer.leave()
    return {"dict": nodes}


def _write_dict(writer: _Writer, value: dict[Any, Any]) -> Any:
    return _write_items(writer, value, list(dict.items(value)))


def _write_ordered_dict(writer: _Writer, value: OrderedDict[Any, Any]) -> Any:
    # Its order is its own: `move_to_end` does not show in the dict below it.
    return _write_items(writer, value, list(OrderedDict.items(value)))


def _write_set(writer: _Writer, value: set[Any]) -> Any:
    if writer.keys_open:
        return writer.refuse(value)
    return {"set": _members(writer, set.__iter__(value))}


def _write_frozenset(writer: _Writer, value: frozenset[Any]) -> Any:
    return {"frozenset": _members(writer, frozenset.__iter__(value))}


def _members(writer: _Writer, values: Iterable[object]) -> list[Any]:
    """A set's members, sorted by their text: iteration order differs from process to process."""
    writer.enter()
    nodes = sorted((writer.key(value) for value in values), key=_canonical)
    writer.leave()
    return nodes


def _write_reference(writer: _Writer, value: Reference) -> Any:
    if writer.keys_open:
        return writer.refuse(value)
    if type(value) is not Reference or not _is_reference(value.id, value.type_name):
        raise WireError(f"a Reference needs an id from 0 and a name of at most {NAME_CHARACTERS} characters")
    return {"reference": [value.id, value.type_name]}


def _write_array(writer: _Writer, value: Any) -> Any:
    numpy = sys.modules["numpy"]
    dtype = value.dtype.str
    if writer.keys_open or dtype not in ARRAY_ITEM_BYTES:
        return writer.refuse(value, f" (dtype {value.dtype.name}): return plain numbers, or .tolist()")
    writer.count(1 + value.ndim)
    _check_shape(value.shape, ARRAY_ITEM_BYTES[dtype], writer.caps)
    flat = numpy.ascontiguousarray(value).reshape(-1).view(numpy.uint8)
    return {"array": [dtype, list(value.shape), writer.payload(memoryview(flat))]}


def _write_scalar(_writer: _Writer, value: Any) -> Any:
    return {"scalar": [value.dtype.str, value.tobytes().hex()]}


def _write_tensor(writer: _Writer, value: Any) -> Any:
    dtype = str(value.dtype).removeprefix("torch.")
    dense = str(value.layout) == "torch.strided" and not value.is_nested
    if writer.keys_open or not dense or dtype not in TENSOR_ITEM_BYTES:
        return writer.refuse(value, f" ({dtype}, {value.layout}): return a dense tensor")
    shape = list(map(int, value.shape))
    writer.count(1 + len(shape))
    _check_shape(shape, TENSOR_ITEM_BYTES[dtype], writer.caps)
    try:
        flat = _memory(value.detach().cpu().resolve_conj().resolve_neg().contiguous())
    except RuntimeError as error:  # on the meta device, or of a `torch.func` transform that is over
        raise NotPlain(f"a tensor without memory of its own cannot cross ({type_name(error)})") from error
    return {"tensor": [dtype, shape, str(value.device), writer.payload(memoryview(flat))]}


def _memory(tensor: Any) -> Any:
    """The bytes of a dense tensor, shared; unlike `.numpy()`, the tensor can still be resized afterwards."""
    import numpy
    import torch

    flat = tensor.reshape(-1).as_strided((tensor.numel(),), (1,))  # a single element may carry any stride
    return numpy.from_dlpack(flat.view(torch.uint8))


def _write_other(writer: _Writer, value: object) -> Any:
    return writer.refuse(value)


_WRITERS: dict[type, Callable[[_Writer, Any], Any]] = {
    NoneType: _write_as_it_is,
    bool: _write_as_it_is,
    int: _write_int,
    float: _write_float,
    complex: _write_complex,
    str: _write_str,
    bytes: _write_bytes,
    list: _write_list,
    tuple: _write_tuple,
    OrderedDict: _write_ordered_dict,  # before dict: the first base that fits decides for a subclass
    dict: _write_dict,
    set: _write_set,
    frozenset: _write_frozenset,
    Reference: _write_reference,
}


def _writer_of_other(kind: type) -> Callable[[_Writer, Any], Any]:
    """What writes an object whose exact type is none of the built-in ones."""
    if type(kind) is type and "numpy" in sys.modules and kind in _scalar_types(sys.modules["numpy"]):
        return _write_scalar
    if _is_exactly(kind, "torch", "Tensor") or _is_exactly(kind, "torch.nn", "Parameter"):
        return _write_tensor
    if _is_exactly(kind, "numpy", "ndarray"):
        return _write_array
    for base, write in _WRITERS.items():
        if base is not Reference and issubclass(kind, base):  # of built-in types: asks no metaclass
            return write
    return _write_other


def _is_exactly(kind: type, module: str, name: str) -> bool:
    """Whether `kind` is that class of a library, which is not imported for the question."""
    return module in sys.modules and kind is getattr(sys.modules[module], name, None)


@functools.lru_cache(maxsize=1)
def _scalar_types(numpy: Any) -> frozenset[type]:
    """The exact scalar types whose bytes cross; `longlong` and the like share a dtype with a sized one."""
    names = "bool_ byte ubyte short ushort intc uintc long ulong longlong ulonglong half single double csingle cdouble"
    return frozenset(getattr(numpy, name) for name in (*names.split(), "int64", "uint64") if hasattr(numpy, name))


# Reading ------------------------------------------------------------------------------------------------------------


def _view(part: bytes | memoryview) -> memoryview:
    """One part as plain bytes."""
    try:
        return memoryview(part).cast("B")
    except TypeError as error:
        raise WireError("each part of a message is contiguous bytes") from error


def _parse(head: bytes, caps: Caps) -> Any:
    """The JSON document of a message, refused before parsing when it announces more than `caps` allow."""
    if sum(map(head.count, b",[{")) > STRUCTURE_PER_NODE * caps.nodes:
        bare = _STRING.sub(b"", head)  # punctuation inside strings costs nothing
        if sum(map(bare.count, b",[{")) > STRUCTURE_PER_NODE * caps.nodes:
            raise WireError(f"more than {caps.nodes} values")
    try:
        text = head.decode("ascii")
        document = json.loads(text, parse_int=_parse_int, parse_float=_parse_float, parse_constant=_parse_constant)
        canonical = _canonical(document) == text
    except WireError:
        raise
    except ValueError as error:
        raise WireError(f"the first part is not JSON in ASCII ({type(error).__name__})") from error
    if not canonical:
        raise WireError("the first part is not canonical JSON: spaces, duplicate keys, or a second spelling")
    return document


def _parse_int(literal: str) -> int:
    number = int(literal) if len(literal) <= NUMBER_CHARACTERS else PLAIN_INT + 1
    if abs(number) > PLAIN_INT:
        raise WireError(f"{_short(literal)} is beyond 2**53 and not written as hexadecimal")
    return number


def _parse_float(literal: str) -> float:
    number = float(literal) if len(literal) <= NUMBER_CHARACTERS else math.inf
    if not math.isfinite(number):
        raise WireError(f"{_short(literal)} is not a float in canonical form")
    return number


def _parse_constant(literal: str) -> float:
    raise WireError(f"{literal} is not JSON")


def _is_reference(number: object, name: object) -> bool:
    return (
        type(number) is int
        and 0 <= number <= PLAIN_INT
        and type(name) is str
        and len(name) <= NAME_CHARACTERS
        and not _has_surrogates(name)
    )


class _Reader(_Walk):
    """Turns one checked JSON document and its buffers into a value."""

    def __init__(self, buffers: list[memoryview], *, resolve: Resolve | None, caps: Caps, device: str | None) -> None:
        super().__init__(caps)
        self.buffers = buffers
        self.resolve = resolve
        self.device = device
        self.buffers_used = 0

    def whole(self, document: Any) -> Any:
        """The value of a whole message, every buffer used."""
        if type(document) is not dict or list(document) != ["version", "value"]:
            raise WireError("a message is an object of version and value")
        version = document["version"]
        if type(version) is not int or version != VERSION:
            raise WireError(f"format version {_short(version)}, this is version {VERSION}")
        value = self.value(document["value"])
        if self.buffers_used != len(self.buffers):
            raise WireError(f"{len(self.buffers)} buffers came, {self.buffers_used} are used")
        return value

    def value(self, node: Any) -> Any:
        """What one JSON node stands for."""
        self.count(1)
        kind = type(node)
        if kind is list:
            return self.values(node)
        if kind is dict:
            return self.tagged(node)
        if kind is str and _has_surrogates(node):
            raise WireError("a string with surrogates that is not written as bytes")
        return node

    def tagged(self, node: dict[str, Any]) -> Any:
        """The value of an object, whose one key names the type."""
        tag, body = next(iter(node.items()), ("", None))
        if len(node) != 1 or tag not in _READERS:
            raise WireError(f"{_short(list(node))} is not the name of one type")
        return _READERS[tag](self, body)

    def values(self, nodes: Any) -> list[Any]:
        """The members of a container."""
        self.enter()
        values: list[Any] = []
        try:
            for node in _fields(nodes):
                values.append(self.value(node))  # noqa: PERF401  (its length is read when this fails)
        except WireError as error:
            error.steps.append(f"[{len(values)}]")
            raise
        self.leave()
        return values

    def keys(self, nodes: list[Any]) -> list[Any]:
        """Keys or set members: hashable, and not so many of one hash that looking them up becomes slow."""
        self.keys_open += 1
        keys = self.values(nodes)
        self.keys_open -= 1
        try:
            hashes = Counter(map(hash, keys))
        except TypeError as error:
            raise WireError("a key or a set's member is not hashable") from error
        if max(hashes.values(), default=0) > COLLISIONS:
            raise WireError(f"more than {COLLISIONS} keys share one hash")
        return keys

    def payload(self, node: Any) -> bytes | memoryview:
        """Raw bytes, from text or from the next buffer in line."""
        if type(node) is str:
            return _from_hexadecimal(node)
        if type(node) is not int or node != self.buffers_used or node >= len(self.buffers):
            raise WireError(f"{_short(node)} is not the next of {len(self.buffers)} buffers")
        if self.keys_open:
            raise WireError("a key or a set's member points to a buffer")
        self.buffers_used += 1
        return self.buffers[node]

    def dense(self, fields: Sequence[Any], item_bytes: dict[str, int]) -> tuple[list[int], bytes | memoryview]:
        """Shape and bytes of an array or tensor from (dtype, shape, payload), in agreement."""
        dtype, shape, payload = fields
        if self.keys_open:
            raise WireError("an array is not a key or a set's member")
        if type(dtype) is not str or dtype not in item_bytes:
            raise WireError(f"{_short(dtype)} is not a dtype of this format")
        for length in _fields(shape):
            if type(length) is not int or length < 0:
                raise WireError(f"{_short(length)} is not a dimension")
        self.count(1 + len(shape))
        _check_shape(shape, item_bytes[dtype], self.caps)
        data = self.payload(payload)
        if len(data) != math.prod(shape) * item_bytes[dtype]:
            raise WireError(f"{len(data)} bytes for shape {_short(shape)} of {dtype}")
        if dtype in BOOLEANS and bytes(data).strip(b"\x00\x01"):
            raise WireError("a boolean is neither 0 nor 1")
        return shape, data


def _fields(body: Any, number: int | None = None) -> list[Any]:
    """`body` as the list it must be, of `number` fields where that is fixed."""
    if type(body) is not list or (number is not None and len(body) != number):
        raise WireError(f"{_short(body)} where a list{'' if number is None else f' of {number}'} belongs")
    return body


def _from_hexadecimal(text: Any) -> bytes:
    try:
        data = bytes.fromhex(text)
    except (TypeError, ValueError) as error:
        raise WireError(f"{_short(text)} is not hexadecimal") from error
    if data.hex() != text:
        raise WireError(f"{_short(text)} is not canonical hexadecimal")
    return data


def _read_int(_reader: _Reader, body: Any) -> int:
    if type(body) is not str or not _HEXADECIMAL_INT.fullmatch(body):
        raise WireError(f"{_short(body)} is not a hexadecimal integer")
    number = int(body, 16)  # linear, and free of the limit on decimal digits
    if -PLAIN_INT <= number <= PLAIN_INT:
        raise WireError(f"{_short(body)} is a small integer in long form")
    return number


def _read_float(_reader: _Reader, body: Any) -> float:
    if body not in ("nan", "inf", "-inf"):
        raise WireError(f"{_short(body)} is not nan, inf or -inf")
    return float(body)


def _read_complex(reader: _Reader, body: Any) -> complex:
    real, imaginary = (reader.value(field) for field in _fields(body, 2))
    if type(real) is not float or type(imaginary) is not float:
        raise WireError(f"{_short(body)} is not two floats")
    return complex(real, imaginary)


def _read_str(_reader: _Reader, body: Any) -> str:
    try:
        text = _from_hexadecimal(body).decode("utf-8", "surrogatepass")
    except UnicodeDecodeError as error:
        raise WireError(f"{_short(body)} is not a string's bytes") from error
    if not _has_surrogates(text):
        raise WireError("a string without surrogates that is written as bytes")
    return text


def _read_bytes(reader: _Reader, body: Any) -> bytes:
    return bytes(reader.payload(body))


def _read_tuple(reader: _Reader, body: Any) -> tuple[Any, ...]:
    return tuple(reader.values(body))


def _read_dict(reader: _Reader, body: Any) -> dict[Any, Any]:
    fields = _fields(body)
    if len(fields) % 2:
        raise WireError("a dictionary has a key without a value")
    keys = reader.keys(fields[::2])
    entries: dict[Any, Any] = {}
    reader.enter()
    for position, (key, node) in enumerate(zip(keys, fields[1::2], strict=True)):
        try:
            entries[key] = reader.value(node)
        except WireError as error:
            error.steps.append(_step(key, position))
            raise
    reader.leave()
    if len(entries) != len(keys):
        raise WireError("a dictionary has the same key twice")
    return entries


def _read_set(reader: _Reader, body: Any) -> set[Any]:
    return set(_read_frozenset(reader, body))


def _read_frozenset(reader: _Reader, body: Any) -> frozenset[Any]:
    members = frozenset(reader.keys(body))
    if len(members) != len(body):
        raise WireError("a set has the same member twice")
    return members


def _read_reference(reader: _Reader, body: Any) -> object:
    number, name = _fields(body, 2)
    if reader.keys_open or not _is_reference(number, name):
        raise WireError(f"{_short(body)} is not a reference, or stands in a key")
    reference = Reference(number, name)
    return reference if reader.resolve is None else reader.resolve(reference)


def _read_array(reader: _Reader, body: Any) -> Any:
    import numpy

    shape, data = reader.dense(_fields(body, 3), ARRAY_ITEM_BYTES)
    return numpy.frombuffer(data, dtype=body[0]).reshape(shape).copy()


def _read_scalar(_reader: _Reader, body: Any) -> Any:
    import numpy

    dtype, text = _fields(body, 2)
    if type(dtype) is not str or dtype not in ARRAY_ITEM_BYTES or dtype[0] == ">":
        raise WireError(f"{_short(dtype)} is not a scalar's dtype")
    data = _from_hexadecimal(text)
    if len(data) != ARRAY_ITEM_BYTES[dtype] or (dtype in BOOLEANS and data > b"\x01"):
        raise WireError(f"{_short(text)} is not a scalar of {dtype}")
    return numpy.frombuffer(data, dtype=dtype)[0]


def _read_tensor(reader: _Reader, body: Any) -> Any:
    import numpy
    import torch

    dtype, shape, device, payload = _fields(body, 4)
    if type(device) is not str or not _DEVICE.fullmatch(device):
        raise WireError(f"{_short(device)} is not a device")
    shape, data = reader.dense((dtype, shape, payload), TENSOR_ITEM_BYTES)
    if not hasattr(torch, dtype):
        raise WireError(f"{dtype} is not a dtype of torch {torch.__version__}")
    tensor = torch.empty(shape, dtype=getattr(torch, dtype), device="cpu")
    _memory(tensor)[:] = numpy.frombuffer(data, dtype=numpy.uint8)
    return tensor if reader.device is None else tensor.to(reader.device)


_READERS: dict[str, Callable[[_Reader, Any], Any]] = {
    "int": _read_int,
    "float": _read_float,
    "complex": _read_complex,
    "str": _read_str,
    "bytes": _read_bytes,
    "tuple": _read_tuple,
    "dict": _read_dict,
    "set": _read_set,
    "frozenset": _read_frozenset,
    "reference": _read_reference,
    "array": _read_array,
    "scalar": _read_scalar,
    "tensor": _read_tensor,
}
