"""Column types that give every value back exactly: any Unicode, floats bit for bit, aware times.

Covers what databases lose: NUL and lone surrogates in text, NaN and -0.0 in numbers, offsets in times.
Not covered: which columns there are (`schema`).
"""

import json
import math
import re
import struct
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Dialect, Double
from sqlalchemy import Text as PlainText
from sqlalchemy.types import NullType, TypeDecorator, TypeEngine

ESCAPE = "\x10"  # DATA LINK ESCAPE: meant for this by ASCII, and next to never in what people write
_UNSTORABLE = re.compile(f"[\x00{ESCAPE}\ud800-\udfff]")
_ESCAPED = re.compile(f"{ESCAPE}([0-9a-f]{{4}})")
BITS = "bits:"  # then 16 hexadecimal digits, a float's IEEE 754 bytes, most significant first


class AnyText(TypeDecorator[str]):
    """Any Python string, as itself but for NUL, lone surrogates and DLE: a DLE and four hexadecimal digits each."""

    impl = PlainText
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - the interface
        return None if value is None else storable(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - the interface
        return None if value is None else _ESCAPED.sub(lambda match: chr(int(match[1], 16)), value)


class Json(TypeDecorator[Any]):
    """Lists and objects of strings and finite numbers, as JSON."""

    impl = PlainText
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:  # noqa: ARG002 - the interface
        # JSON's own escapes would fuse two lone surrogates into one character, so they are left to the escape
        return storable(json.dumps(value, ensure_ascii=False))

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:  # noqa: ARG002 - the interface
        return None if value is None else json.loads(_ESCAPED.sub(lambda match: chr(int(match[1], 16)), value))


class ExactFloat(TypeDecorator[float]):
    """A float, bit for bit. SQLite turns NaN into NULL and -0.0 into 0.0, so these two are stored as their bits."""

    impl = Double
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        # on SQLite nothing may convert what is bound: a column declared DOUBLE keeps text that is no number as text
        return dialect.type_descriptor(NullType() if dialect.name == "sqlite" else Double())

    def process_bind_param(self, value: float | None, dialect: Dialect) -> float | str | None:
        if value is None or dialect.name != "sqlite":
            return value
        lost = math.isnan(value) or (value == 0 and math.copysign(1, value) < 0)
        return bits_of(value) if lost else float(value)

    def process_result_value(self, value: float | str | None, dialect: Dialect) -> float | None:  # noqa: ARG002
        return None if value is None else exact_float(value)


class UtcTime(TypeDecorator[datetime]):
    """An aware time, as ISO 8601 in UTC with microseconds: sorts as text."""

    impl = PlainText
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no offset from UTC")
        return value.astimezone(UTC).isoformat(timespec="microseconds")

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return None if value is None else datetime.fromisoformat(value)


def json_number(value: float) -> float | str:
    """`value` as JSON can hold it: what is not finite as its bits."""
    return float(value) if math.isfinite(value) else bits_of(value)


def exact_float(stored: float | str) -> float:
    """The float that was stored as itself or as its bits."""
    if isinstance(stored, str):
        return float(struct.unpack(">d", bytes.fromhex(stored.removeprefix(BITS)))[0])
    return stored


def bits_of(value: float) -> str:
    """`value` as text that loses nothing."""
    return BITS + struct.pack(">d", value).hex()


def storable(text: str) -> str:
    """`text` as it stands in a column: valid Unicode without NUL."""
    return _UNSTORABLE.sub(lambda match: f"{ESCAPE}{ord(match[0]):04x}", text)
