"""Each kind of column gives back what it was given, and keeps it readable for SQL."""

import json
import math
import struct
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Column, MetaData, Table, create_engine, insert, select, text
from sqlalchemy.types import TypeEngine

from harness.gradebook.columns import AnyText, ExactFloat, Json, UtcTime, exact_float, json_number

KINDS: dict[str, TypeEngine[Any]] = {"text": AnyText(), "json": Json(), "float": ExactFloat(), "time": UtcTime()}
DECLARED = {"text": "TEXT", "json": "TEXT", "float": "DOUBLE PRECISION", "time": "TEXT"}


def there_and_back(kind: str, value: Any) -> tuple[Any, Any]:
    """`value` after a column of `kind`, and what SQL sees there."""
    table = Table("t", MetaData(), Column("v", KINDS[kind]))
    engine = create_engine("sqlite://")
    try:
        with engine.connect() as connection:
            connection.execute(text(f"CREATE TABLE t (v {DECLARED[kind]})"))
            connection.execute(insert(table), {"v": value})
            return connection.execute(select(table.c.v)).scalar(), connection.execute(text("SELECT v FROM t")).scalar()
    finally:
        engine.dispose()


@given(st.text(st.characters(exclude_categories=())))
def test_any_text(value: str) -> None:
    assert there_and_back("text", value)[0] == value
    assert there_and_back("json", [value, {value: value}])[0] == [value, {value: value}]


@pytest.mark.parametrize(
    "value",
    ["\0", "\ud800", "\ud83d\ude00", "\U0001f600", "\x10", "\x100041", "\x10\x10d800", "\\u0000", "\ufffe"],
)
def test_text_that_databases_refuse_or_change(value: str) -> None:
    found, stored = there_and_back("text", value)
    assert found == value
    assert "\0" not in stored
    assert stored.encode("utf-8")
    assert there_and_back("json", [value])[0] == [value]


def test_ordinary_text_stands_as_it_is() -> None:
    value = "l'été « à » \\n\n\t\x1b[0m 😀 %s :x"
    assert there_and_back("text", value) == (value, value)


@pytest.mark.parametrize("bits", ["8000000000000000", "7ff8000000000000", "fff8000000000001", "7ff0000000000000"])
def test_floats_that_sqlite_would_change(bits: str) -> None:
    (value,) = struct.unpack(">d", bytes.fromhex(bits))
    assert struct.pack(">d", there_and_back("float", value)[0]).hex() == bits


@pytest.mark.parametrize("bits", ["8000000000000000", "7ff8000000000000", "fff8000000000001", "7ff0000000000000"])
def test_floats_that_json_has_not_got(bits: str) -> None:
    (value,) = struct.unpack(">d", bytes.fromhex(bits))
    stored = json.dumps(json_number(value), allow_nan=False)
    assert struct.pack(">d", exact_float(json.loads(stored))).hex() == bits


@given(st.floats(allow_nan=False))
def test_any_float(value: float) -> None:
    found, stored = there_and_back("float", value)
    assert struct.pack(">d", found) == struct.pack(">d", value)
    if value or math.copysign(1, value) > 0:
        assert stored == value


def test_times_are_kept_in_utc_and_sort_as_text() -> None:
    noon = datetime(2027, 1, 31, 12, 0, tzinfo=timezone(timedelta(hours=1)))
    assert there_and_back("time", noon) == (noon, "2027-01-31T11:00:00.000000+00:00")
    later = there_and_back("time", datetime(2027, 1, 31, 11, 0, 0, 1, tzinfo=UTC))[1]
    assert later > "2027-01-31T11:00:00.000000+00:00"


@pytest.mark.parametrize("kind", ["text", "float", "time"])
def test_nothing_stays_nothing(kind: str) -> None:
    assert there_and_back(kind, None) == (None, None)
