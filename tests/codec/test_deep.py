"""Extremely nested messages cause no crash, unlimited recursion or hang."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from codec.oracle import flyte
from flyte_rpc.codec.message import Message
from flyte_rpc.codec.wire import DecodeError, EncodeError, put_bytes

DEPTH = 10_000
Value: Any = flyte("google.protobuf.Value").ours
Struct: Any = flyte("google.protobuf.Struct").ours
ListValue: Any = flyte("google.protobuf.ListValue").ours
Literal: Any = flyte("flyteidl2.core.Literal").ours


def nested_lists(depth: int) -> bytes:
    """The bytes of a Value of lists in lists."""
    data = b""
    for _ in range(depth):
        data = b"\x32" + put_bytes(b"\x0a" + put_bytes(data))
    return data


def nested_literals(depth: int) -> bytes:
    """The bytes of a Literal of collections in collections."""
    collection = Literal.specs()["collection"].number
    literals = Literal.collection.target.specs()["literals"].number
    data = bytes(Literal(hash="innermost"))
    for _ in range(depth):
        data = bytes([collection << 3 | 2]) + put_bytes(bytes([literals << 3 | 2]) + put_bytes(data))
    return data


def deep_value() -> Message:
    """A Value with every level read."""
    message = at = Value.parse(nested_lists(DEPTH))
    levels = 0
    while at.list_value is not None:
        at = at.list_value.values[0]
        levels += 1
    assert levels == DEPTH
    return message


def deep_literal() -> Message:
    """A Literal with every level read."""
    message = at = Literal.parse(nested_literals(DEPTH))
    while at.collection is not None:
        at = at.collection.literals[0]
    assert at.hash == "innermost"
    return message


MADE: list[Callable[[], Message]] = [deep_value, deep_literal]


@pytest.mark.parametrize("make", MADE)
def test_each_level_can_be_read_and_all_can_be_let_go_of(make: Callable[[], Message]) -> None:
    message = make()
    del message


def test_what_was_not_read_is_passed_on_at_any_depth() -> None:
    data = nested_lists(DEPTH)
    assert bytes(Value.parse(data)) == data
    assert Value.parse(data) == Value.parse(data)
    assert copy.deepcopy(Value.parse(data)) == pickle.loads(pickle.dumps(Value.parse(data)))


@pytest.mark.parametrize("make", MADE)
@pytest.mark.parametrize("use", [bytes, copy.deepcopy, pickle.dumps, Message.to_dict, Message.to_json])
def test_what_needs_the_whole_says_that_it_is_too_deep(make: Callable[[], Message], use: Callable[[Any], Any]) -> None:
    with pytest.raises(EncodeError, match="nested too deep"):
        use(make())


@pytest.mark.parametrize("make", MADE)
def test_repr_leaves_out_what_is_too_deep(make: Callable[[], Message]) -> None:
    assert 500 < len(repr(make())) < 5000
    assert "(...)" in repr(make())


@pytest.mark.parametrize("make", MADE)
def test_equality_knows_no_depth(make: Callable[[], Message]) -> None:
    left, right = make(), make()
    assert left == right
    at: Any = right
    while (inner := at.list_value if isinstance(at, Value) else at.collection) is not None:
        at = (inner.values if isinstance(at, Value) else inner.literals)[0]
    if isinstance(at, Value):
        at.string_value = "different"
    else:
        at.hash = "different"
    assert left != right


def test_messages_that_hold_themselves() -> None:
    message = ListValue()
    message.values.append(Value(list_value=message))
    assert "(...)" in repr(message)
    assert message == message
    other = ListValue()
    other.values.append(Value(list_value=other))
    assert message == other
    for use in (bytes, ListValue.to_dict, ListValue.to_python):
        with pytest.raises(EncodeError, match="nested too deep"):
            use(message)


def test_python_values_that_are_too_deep() -> None:
    nested: list[Any] = []
    for _ in range(DEPTH):
        nested = [nested]
    for make in (ListValue.of, Value.of, lambda v: Struct.of({"a": v})):
        with pytest.raises(EncodeError, match="nested too deep"):
            make(nested)
    for kind in (ListValue, Value):
        with pytest.raises(ValueError, match="nested too deep"):
            kind.from_dict(nested)
    with pytest.raises(EncodeError, match="nested too deep"):
        deep_value().to_python()  # type: ignore[attr-defined]


def test_json_that_is_too_deep() -> None:
    literal: dict[str, Any] = {}
    for _ in range(DEPTH):
        literal = {"collection": {"literals": [literal]}}
    with pytest.raises(DecodeError, match="nested too deep"):
        Literal.from_dict(literal)
    with pytest.raises(DecodeError, match="nested too deep"):
        Literal.from_json('{"collection":{"literals":[' * DEPTH)


def test_ordinary_depth_is_no_matter() -> None:
    data = nested_literals(60)
    message = Literal.parse(data)
    assert json.loads(message.to_json()) == message.to_dict()
    assert Literal.from_dict(message.to_dict()) == message
    assert bytes(Literal.from_dict(message.to_dict())) == data
