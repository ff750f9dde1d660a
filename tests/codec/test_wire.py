"""Unusual but valid wire format, and invalid wire format."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest

from codec.everything import MAP_KEYS, PACKABLE
from codec.oracle import Pair, accepted, canonical, touch
from flyte_rpc.codec import wire
from flyte_rpc.codec.message import which_one_of
from flyte_rpc.codec.wire import DecodeError


def tag(number: int, kind: int) -> bytes:
    return wire.put_varint(number << 3 | kind)


def chunk(number: int, content: bytes) -> bytes:
    return tag(number, 2) + wire.put_bytes(content)


def field(kind: type[Any], name: str) -> int:
    number: int = kind.specs()[name].number
    return number


def test_fields_that_are_not_known_survive(Leaf: Any) -> None:
    unknown = tag(500, 0) + b"\x05" + chunk(501, b"abc") + tag(502, 1) + b"x" * 8 + tag(503, 5) + b"y" * 4
    group = tag(504, 3) + tag(1, 0) + b"\x01" + tag(9, 3) + tag(9, 4) + tag(504, 4)
    leaf = Leaf.parse(unknown + b"\x08\x07" + group)
    assert leaf.size == 7
    assert bytes(leaf) == b"\x08\x07" + unknown + group
    leaf.name = "n"
    assert Leaf.parse(bytes(leaf))._unknown_fields == unknown + group
    assert leaf != Leaf(size=7, name="n")


def test_a_field_of_another_wire_type_is_not_known(Leaf: Any) -> None:
    data = chunk(1, b"x") + tag(2, 0) + b"\x01"
    leaf = Leaf.parse(data)
    assert (leaf.size, leaf.name) == (0, "")
    assert bytes(leaf) == data


def test_numbers_of_enums_that_are_not_known_survive(Everything: Any) -> None:
    message = Everything(one_colour=99, many_colour=[1, 98], by_name_colour={"a": -97}, pick_colour=96)
    again = Everything.parse(bytes(message))
    assert again == message
    assert int(again.one_colour) == 99
    assert [int(c) for c in again.many_colour] == [1, 98]
    assert int(again.by_name_colour["a"]) == -97
    assert int(again.pick_colour) == 96
    assert bytes(again) == bytes(message)


def test_occurrences_of_a_sub_message_merge(everything: Pair) -> None:
    kind = everything.ours
    inner = [bytes(kind(one_string="a", many_int32=[1])), bytes(kind(one_int32=2, many_int32=[3])), bytes(kind())]
    number = field(kind, "self_")
    data = b"".join(chunk(number, part) for part in inner)
    message = kind.parse(data)
    assert canonical(everything, bytes(message)) == canonical(everything, data)
    assert (message.self_.one_string, message.self_.one_int32, message.self_.many_int32) == ("a", 2, [1, 3])
    assert canonical(everything, bytes(message)) == canonical(everything, data)


def test_occurrences_of_a_sub_message_must_each_be_whole(everything: Pair) -> None:
    whole = bytes(everything.ours(one_string="text"))
    number = field(everything.ours, "self_")
    data = chunk(number, whole[:-2]) + chunk(number, whole[-2:])
    assert accepted(everything, data) is None
    with pytest.raises(DecodeError, match=r"Everything\.self_: Everything: the data ends"):
        _ = everything.ours.parse(data).self_


def test_the_last_value_of_a_field_counts(Leaf: Any) -> None:
    assert Leaf.parse(b"\x08\x01" + b"\x08\x02" + chunk(2, b"a") + chunk(2, b"b")) == Leaf(size=2, name="b")


def test_the_last_member_of_a_oneof_counts(everything: Pair) -> None:
    kind = everything.ours
    members = [("pick_string", "a"), ("pick_int32", 0), ("pick_leaf", None), ("pick_colour", 7), ("pick_string", "")]
    data = b""
    for name, value in members:
        data += bytes(kind(**{name: kind.pick_leaf.target(size=3) if name == "pick_leaf" else value}))
        message = kind.parse(data)
        assert which_one_of(message, "choice")[0] == name
        assert canonical(everything, bytes(message)) == canonical(everything, data)


def test_a_oneof_that_comes_back_to_a_message_starts_anew(everything: Pair) -> None:
    kind = everything.ours
    leaf = kind.pick_leaf.target
    once = bytes(kind(pick_leaf=leaf(size=1))) + bytes(kind(pick_int32=5)) + bytes(kind(pick_leaf=leaf(name="n")))
    assert kind.parse(once).pick_leaf == leaf(name="n")
    merged = bytes(kind(pick_leaf=leaf(size=1))) + bytes(kind(pick_leaf=leaf(name="n")))
    assert kind.parse(merged).pick_leaf == leaf(size=1, name="n")
    for data in (once, merged):
        assert canonical(everything, bytes(kind.parse(data))) == canonical(everything, data)


@pytest.mark.parametrize("kind", PACKABLE)
def test_packed_and_loose_numbers_are_both_read(everything: Pair, kind: str) -> None:
    values = [True, False] if kind == "bool" else [0, 1, 100]
    names = (f"many_{kind}", f"loose_{kind}")
    assert len(bytes(everything.ours(**{names[0]: values}))) < len(bytes(everything.ours(**{names[1]: values})))
    for name, other in (names, names[::-1]):
        # The same numbers in the form that the definition does not have.
        theirs = everything.theirs(**{name: values}).SerializeToString()
        data = _renumbered(theirs, field(everything.ours, name), field(everything.ours, other))
        assert getattr(everything.ours.parse(data), other) == values
        assert canonical(everything, bytes(everything.ours.parse(data + data))) == canonical(everything, data + data)


def _renumbered(data: bytes, number: int, other: int) -> bytes:
    out, pos = b"", 0
    while pos < len(data):
        found, start = wire.varint32(data, pos)
        assert found >> 3 == number
        pos = wire.skip(data, start, found)
        out += tag(other, found & 7) + data[start:pos]
    return out


def test_an_empty_packed_field_is_no_value(Everything: Any) -> None:
    message = Everything.parse(chunk(field(Everything, "many_int32"), b""))
    assert message.many_int32 == []
    assert not message


@pytest.mark.parametrize("value", [-1, -(2**31), -(2**63)])
def test_negative_numbers_take_ten_bytes_and_come_back(everything: Pair, value: int) -> None:
    name = "one_int64" if value < -(2**31) else "one_int32"
    message = everything.ours(**{name: value})
    assert len(bytes(message)) == 12
    assert getattr(everything.theirs.FromString(bytes(message)), name) == value
    assert getattr(everything.ours.parse(bytes(message)), name) == value


def test_a_number_of_32_bits_ignores_the_bits_above(everything: Pair) -> None:
    data = tag(field(everything.ours, "one_int32"), 0) + b"\xff\xff\xff\xff\x7f"
    data += tag(field(everything.ours, "one_uint32"), 0) + b"\x81\x80\x80\x80\x70"
    data += tag(field(everything.ours, "one_bool"), 0) + b"\x80\x80\x80\x80\x10"
    message = everything.ours.parse(data)
    assert (message.one_int32, message.one_uint32, message.one_bool) == (-1, 1, True)
    assert canonical(everything, bytes(message)) == canonical(everything, data)


@pytest.mark.parametrize("kind", MAP_KEYS)
def test_map_entries_may_lack_a_part_and_repeat_it(everything: Pair, kind: str) -> None:
    name = f"keyed_{kind}"
    number = field(everything.ours, name)
    value = tag(2, 0) + b"\x09"
    for entry in (b"", value, value + tag(2, 0) + b"\x08"):
        data = chunk(number, entry)
        message = everything.ours.parse(data)
        assert canonical(everything, bytes(message)) == canonical(everything, data)
        assert list(getattr(message, name).items()) == list(getattr(everything.theirs.FromString(data), name).items())


def test_the_last_entry_of_a_key_counts(everything: Pair) -> None:
    kind = everything.ours
    data = (
        bytes(kind(by_name_int32={"a": 1})) + bytes(kind(by_name_int32={"b": 2})) + bytes(kind(by_name_int32={"a": 3}))
    )
    assert kind.parse(data).by_name_int32 == {"a": 3, "b": 2}


def test_messages_in_map_entries_merge(everything: Pair) -> None:
    leaf = everything.ours.pick_leaf.target
    entry = chunk(1, b"k") + chunk(2, bytes(leaf(size=1))) + chunk(2, bytes(leaf(name="n"))) + chunk(2, b"")
    data = chunk(field(everything.ours, "by_name_leaf"), entry)
    message = everything.ours.parse(data)
    assert message.by_name_leaf == {"k": leaf(size=1, name="n")}
    assert canonical(everything, bytes(message)) == canonical(everything, data)


def test_a_part_of_a_map_entry_with_another_wire_type_is_passed_over(Everything: Any) -> None:
    number = field(Everything, "by_name_int32")
    for wrong in (tag(1, 0) + b"\x05", tag(1, 5) + b"abcd", chunk(2, b"x"), tag(2, 1) + b"8 bytes.", chunk(3, b"?")):
        entry = chunk(1, b"k") + wrong + tag(2, 0) + b"\x07"
        assert Everything.parse(chunk(number, entry)).by_name_int32 == {"k": 7}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x08", "the data ends in the middle"),
        (b"\x80", "the data ends in the middle"),
        (b"\x08" + b"\xff" * 10 + b"\x01", "more than ten bytes"),
        (b"\x88\x80\x80\x80\x80\x00\x05", "more than 32 bits"),
        (b"\x88\x80\x80\x80\x10\x05", "more than 32 bits"),
        (b"\x12\x05abc", "the data ends in the middle"),
        (b"\x12\xff\xff\xff\xff\x07", "the data ends in the middle"),
        (b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "more than 32 bits"),
        (b"\x12\x02\xff\xfe", "not UTF-8"),
        (b"\x12\x03\xed\xa0\x80", "not UTF-8"),
        (b"\x00\x01", "field number 0"),
        (b"\x02\x00", "field number 0"),
        (b"\x1c\x00", "wire type 4"),
        (b"\x1e\x00", "wire type 6"),
        (b"\x1f\x00", "wire type 7"),
        (b"\x1b\x08\x01", "the data ends in the middle"),
        (b"\x1b\x24", "closed by the wrong field number"),
        (b"\x1b" * 300 + b"\x1c" * 300, "nested more than 100 deep"),
        (b"\x19abc", "the data ends in the middle"),
        (b"\x1dab", "the data ends in the middle"),
    ],
)
def test_malformed_bytes_say_what_is_wrong(everything_types: dict[str, Pair], data: bytes, reason: str) -> None:
    pair = everything_types["Leaf"]
    with pytest.raises(DecodeError, match=reason) as caught:
        pair.ours.parse(data)
    assert str(caught.value).startswith("Leaf: ")
    assert isinstance(caught.value, ValueError)
    with pytest.raises(Exception, match="Error parsing message"):
        pair.theirs.FromString(data)


def test_malformed_parts_are_found_when_they_are_read(Everything: Any) -> None:
    message = Everything.parse(
        chunk(field(Everything, "one_leaf"), b"\x08")
        + chunk(field(Everything, "many_leaf"), b"\x12\x05a")
        + chunk(field(Everything, "by_name_leaf"), b"\x0a\x09")
        + chunk(field(Everything, "by_name_string"), b"\x0a\x01\xff")
        + bytes(Everything(one_string="kept"))
    )
    assert message.one_string == "kept"
    for name in ("one_leaf", "many_leaf", "by_name_leaf", "by_name_string"):
        for _ in range(2):
            with pytest.raises(DecodeError, match=rf"^Everything\.{name}: "):
                getattr(message, name)
    assert "one_string='kept'" in repr(message)
    assert "one_leaf=<malformed: Everything.one_leaf: Leaf: the data ends" in repr(message)


def test_packed_numbers_must_be_whole(Everything: Any) -> None:
    for name, content in (("many_fixed32", b"12345"), ("many_double", b"1234567"), ("many_int32", b"\x80")):
        with pytest.raises(DecodeError, match="the data ends"):
            Everything.parse(chunk(field(Everything, name), content))


def test_other_buffers_are_read_and_other_values_are_not(Leaf: Any) -> None:
    data = bytes(Leaf(name="a"))
    assert Leaf.parse(bytearray(data)) == Leaf.parse(memoryview(data)) == Leaf(name="a")
    for wrong in ("text", 5, None):
        with pytest.raises(TypeError):
            Leaf.parse(wrong)


FLOODS = {
    "unknown fields": tag(500, 0) + b"\x01",
    "occurrences of a message": chunk(2, b"\x08\x01"),
    "repeated messages": chunk(3, b""),
    "loose numbers": tag(4, 0) + b"\x01",
    "map entries": chunk(5, b""),
    "members of a oneof in turn": chunk(6, b"a") + tag(7, 0) + b"\x01",
}


@pytest.mark.parametrize("flood", FLOODS)
def test_floods_take_time_and_memory_in_proportion(everything: Pair, flood: str) -> None:
    names = {2: "self_", 3: "many_leaf", 4: "many_int32", 5: "by_name_int32", 6: "pick_string", 7: "pick_int32"}
    pattern, numbered = FLOODS[flood], b""
    pos = 0
    while pos < len(pattern):
        found, start = wire.varint32(pattern, pos)
        pos = wire.skip(pattern, start, found)
        name = names.get(found >> 3)
        number = field(everything.ours, name) if name else found >> 3
        content = pattern[start:pos] if name != "self_" else wire.put_bytes(bytes(everything.ours(one_int32=1)))
        numbered += tag(number, found & 7) + content
    # A million bytes end in this test's lifetime only because the time they take is linear.
    touch(everything.ours.parse(numbered * (1_000_000 // len(numbered))))
    data = numbered * (60_000 // len(numbered))
    tracemalloc.start()
    try:
        message = everything.ours.parse(data)
        parsed = tracemalloc.get_traced_memory()[1]
        touch(message)
        touched = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert parsed < 40 * len(data)
    assert touched < 120 * len(data)


def test_a_length_is_believed_only_as_far_as_there_are_bytes(Leaf: Any) -> None:
    tracemalloc.start()
    try:
        for size in (b"\xff\xff\xff\xff\x07", b"\xff\xff\xff\x7f"):
            with pytest.raises(DecodeError):
                Leaf.parse(b"\x12" + size + b"abc")
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()
