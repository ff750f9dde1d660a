"""Literals of other SDKs: plain data is read, other literals are left raw with a reason."""

import enum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyte.types import from_literal, literal_type_of, unsupported_reason
from flyte_api.messages.flyteidl2.core.literals import (
    Binary,
    Literal,
    LiteralCollection,
    LiteralOffloadedMetadata,
    Primitive,
    Scalar,
    Schema,
)
from flyte_api.messages.google.protobuf.timestamp import Timestamp


class Color(enum.Enum):
    RED = "r"


def same(left: Any, right: Any) -> bool:
    """Equal and of the same type: 3 is not 3.0 here."""
    return repr(left) == repr(right) and left == right


def primitive(**value: Any) -> Literal:
    return Literal(scalar=Scalar(primitive=Primitive(**value)))


def test_numbers_of_a_web_form_become_what_the_type_says() -> None:
    assert same(from_literal(primitive(float_value=3.0), literal_type_of(int)), 3)
    assert same(from_literal(primitive(integer=3), literal_type_of(float)), 3.0)
    assert same(from_literal(primitive(float_value=3.5), literal_type_of(int)), 3.5)
    assert same(from_literal(primitive(integer=3)), 3)


def msgpack_literal(data: bytes) -> Literal:
    return Literal(scalar=Scalar(binary=Binary(value=data, tag="msgpack")))


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"\x82\xa1a\x01\xa1b\xc0", {"a": 1, "b": None}),
        (b"\x93\xff\xd1\xff\x00\xcf" + b"\xff" * 8, [-1, -256, 2**64 - 1]),
        (b"\x95\xc2\xc3\xcb\x3f\xf8" + bytes(6) + b"\xca\x3f\x80\x00\x00\xc4\x02hi", [False, True, 1.5, 1.0, b"hi"]),
        (b"\xd9\x03\xe2\x82\xac", "€"),
        (b"\xdc\x00\x02\x01\x02", [1, 2]),
        (b"\xde\x00\x01\x01\xda\x00\x01x", {1: "x"}),
        (b"\x80", {}),
    ],
)
def test_messagepack_of_other_sdks_is_read(data: bytes, value: Any) -> None:
    assert same(from_literal(msgpack_literal(data), literal_type_of(dict)), value)


UNREADABLE = {
    "pickled": (
        Literal(scalar=Scalar(binary=Binary(value=b"cos\nsystem\n"))),
        "pickled, and loading a pickle can run any code",
    ),
    "table": (Literal(scalar=Scalar(schema=Schema(uri="s3://b/k"))), "a table at s3://b/k"),
    "offloaded": (
        Literal(offloaded_metadata=LiteralOffloadedMetadata(uri="s3://b/o", size_bytes=9)),
        "stored at s3://b/o, 9 bytes",
    ),
    "empty": (Literal(), "empty"),
    "empty scalar": (Literal(scalar=Scalar()), "empty"),
    "empty primitive": (primitive(), "empty"),
    "out of years": (primitive(datetime=Timestamp(seconds=2**60)), "outside the years"),
    "cut messagepack": (msgpack_literal(b"\xdd\xff\xff\xff\xff"), "it is cut"),
    "more messagepack": (msgpack_literal(b"\x01\x02"), "has trailing data"),
    "messagepack extension": (msgpack_literal(b"\xd4\x01\x00"), "extension"),
    "messagepack list as key": (msgpack_literal(b"\x81\x90\x01"), "a key in it is a list"),
    "deep messagepack": (msgpack_literal(b"\x91" * 5000 + b"\x01"), "nested more than 100 levels deep"),
    "messagepack text": (msgpack_literal(b"\xa1\xff"), "not UTF-8"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_has_no_python_form_stays_a_literal_with_a_reason(name: str) -> None:
    literal, reason = UNREADABLE[name]
    assert from_literal(literal) is literal
    assert reason in (unsupported_reason(literal) or "")
    around = Literal(collection=LiteralCollection(literals=[primitive(integer=1), literal]))
    assert from_literal(around) is around


def test_a_value_outside_its_enum_stays_a_literal() -> None:
    literal = primitive(string_value="BLUE")
    assert from_literal(literal, literal_type_of(Color)) is literal
    assert "not among" in (unsupported_reason(literal, literal_type_of(Color)) or "")


def test_a_literal_nested_without_end_stays_a_literal() -> None:
    literal = primitive(integer=1)
    for _ in range(200):
        literal = Literal(collection=LiteralCollection(literals=[literal]))
    assert "nested more than 100 levels deep" in (unsupported_reason(literal) or "")


@given(st.binary(max_size=40))
def test_no_bytes_upset_the_reader(data: bytes) -> None:
    literal = msgpack_literal(data)
    value = from_literal(literal)
    assert (value is literal) == (unsupported_reason(literal) is not None)
