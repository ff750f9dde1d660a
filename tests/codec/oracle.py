"""Google's protobuf as the oracle: the same message types in both libraries, and random messages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import attrs
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.message import Message as GoogleMessage

from flyte_codegen.definitions.build import build
from flyte_codegen.definitions.load import load
from flyte_codegen.python.type_names import Naming
from flyte_rpc.codec.deprecation import quietly
from flyte_rpc.codec.message import Message
from flyte_rpc.codec.wire import DecodeError
from flyte_rpc.lazy import resolve

REPO = Path(__file__).parents[2]

_NUMBERS = {
    FieldDescriptor.CPPTYPE_INT32: [0, 1, -1, 300, 2**31 - 1, -(2**31)],
    FieldDescriptor.CPPTYPE_INT64: [0, 1, -1, 70_000, 2**63 - 1, -(2**63)],
    FieldDescriptor.CPPTYPE_UINT32: [0, 1, 128, 2**32 - 1],
    FieldDescriptor.CPPTYPE_UINT64: [0, 1, 2**32, 2**64 - 1],
    FieldDescriptor.CPPTYPE_DOUBLE: [0.0, -0.0, 1.5, 0.1, -1e300, float("inf")],
    FieldDescriptor.CPPTYPE_FLOAT: [0.0, -0.0, 1.5, 0.1, 3.4e38, 1e-40, float("-inf")],
    FieldDescriptor.CPPTYPE_BOOL: [True, False],
}
_TEXTS = ["", "a", 'é\n"', "\U0001f680", "y" * 130]
_BYTES = [b"", b"\x00\xff", b"x" * 200]


@attrs.frozen
class Pair:
    """One message type, in our class and in theirs."""

    full_name: str
    file: str
    ours: type[Message]
    theirs: type[GoogleMessage]


def pairs(descriptors: FileDescriptorSet, package: str) -> list[Pair]:
    """All message types of `descriptors`, which `package` was generated from."""
    pool = descriptor_pool.DescriptorPool()
    for file in descriptors.file:
        pool.Add(file)
    api = build(descriptors)
    naming = Naming(api, package, {})
    return [
        Pair(
            name,
            api.file_of[name].name,
            resolve(naming.path(name)),
            message_factory.GetMessageClass(pool.FindMessageTypeByName(name)),
        )
        for name in api.messages
    ]


@cache
def flyte_pairs() -> list[Pair]:
    """All message types below protos/."""
    return pairs(load([REPO / "protos"]), "flyte_api")


@cache
def flyte(full_name: str) -> Pair:
    """One message type below protos/."""
    return next(pair for pair in flyte_pairs() if pair.full_name == full_name)


class Builder:
    """Builds random messages, the same in each run. With `json`, only messages with a JSON form."""

    def __init__(self, seed: str, *, json: bool = False) -> None:
        self.random = Random(seed)
        self.json = json

    def build(self, kind: type[GoogleMessage]) -> Any:
        made = kind()
        self.fill(made, 0)
        return made

    def fill(self, message: Any, depth: int) -> None:
        special = self._special(message.DESCRIPTOR.full_name) if self.json else None
        if special is not None:
            special(message, depth)
            return
        for field in message.DESCRIPTOR.fields:
            if self.random.random() < (0.45 if depth < 3 else 0.8):
                continue
            if field.message_type and field.message_type.GetOptions().map_entry:
                self._fill_map(getattr(message, field.name), field, depth)
            elif field.is_repeated:
                self._fill_list(getattr(message, field.name), field, depth)
            elif field.message_type:
                getattr(message, field.name).SetInParent()
                self._fill_below(getattr(message, field.name), depth)
            else:
                setattr(message, field.name, self.scalar(field))

    def _fill_map(self, container: Any, field: FieldDescriptor, depth: int) -> None:
        key, value = field.message_type.fields_by_name["key"], field.message_type.fields_by_name["value"]
        for _ in range(self.random.randint(0, 3)):
            if value.message_type:
                self._fill_below(container[self.scalar(key)], depth)
            else:
                container[self.scalar(key)] = self.scalar(value)

    def _fill_list(self, container: Any, field: FieldDescriptor, depth: int) -> None:
        for _ in range(self.random.randint(0, 3)):
            if field.message_type:
                self._fill_below(container.add(), depth)
            else:
                container.append(self.scalar(field))

    def _fill_below(self, message: Any, depth: int) -> None:
        needs_value = self.json and message.DESCRIPTOR.full_name.startswith("google.protobuf.")
        if depth < 4 or needs_value:
            self.fill(message, depth + 1)

    def scalar(self, field: FieldDescriptor) -> Any:
        if field.cpp_type == FieldDescriptor.CPPTYPE_ENUM:
            return self.random.choice([v.number for v in field.enum_type.values] + [77, -3])
        if field.type == FieldDescriptor.TYPE_BYTES:
            return self.random.choice(_BYTES)
        if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
            return self.random.choice(_TEXTS)
        return self.random.choice(_NUMBERS[field.cpp_type])

    def _special(self, full_name: str) -> Callable[[Any, int], None] | None:
        return {
            "google.protobuf.Timestamp": self._timestamp,
            "google.protobuf.Duration": self._duration,
            "google.protobuf.Value": self._value,
            "google.protobuf.FieldMask": lambda m, _: m.paths.extend(self.random.choice([[], ["a"], ["a_b.c", "d"]])),
            "google.protobuf.Any": self._any,
        }.get(full_name)

    def _timestamp(self, message: Any, _: int) -> None:
        message.seconds = self.random.choice([0, -1, 1_700_000_000, -62_135_596_800, 253_402_300_799])
        message.nanos = self.random.choice([0, 1, 1_000, 120_000_000, 999_999_999])

    def _duration(self, message: Any, _: int) -> None:
        sign = self.random.choice([1, -1])
        message.seconds = sign * self.random.choice([0, 1, 315_576_000_000])
        message.nanos = sign * self.random.choice([0, 1, 500_000_000, 999_999_999])

    def _value(self, message: Any, depth: int) -> None:
        kind = self.random.choice(
            ["null", "number", "text", "bool", "struct", "list"] if depth < 4 else ["null", "text"]
        )
        if kind == "null":
            message.null_value = 0
        elif kind == "number":
            message.number_value = self.random.choice([0.0, -1.5, 1e10])
        elif kind == "text":
            message.string_value = self.random.choice(_TEXTS)
        elif kind == "bool":
            message.bool_value = self.random.choice([True, False])
        else:
            inner = message.struct_value if kind == "struct" else message.list_value
            inner.SetInParent()
            self.fill(inner, depth + 1)

    def _any(self, message: Any, _: int) -> None:
        kinds = ("google.rpc.Status", "google.protobuf.Duration", "flyteidl2.common.Sort")
        packed = flyte(self.random.choice(kinds)).theirs()
        if packed.DESCRIPTOR.full_name != "google.rpc.Status":  # which holds further ones
            self.fill(packed, 3)
        message.Pack(packed)


def touch(message: Message) -> int:
    """Read every field at every depth. Return the number of messages."""
    waiting, found = [message], 0
    while waiting:
        at = waiting.pop()
        found += 1
        for name in type(at).specs():
            waiting += [item for item in _items(quietly(at, name)) if isinstance(item, Message)]
    return found


def _items(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value
    else:
        yield value


def accepted(pair: Pair, data: bytes) -> Message | None:
    """Parse with our library, and read every field. Return None if it is refused."""
    try:
        message = pair.ours.parse(data)
        touch(message)
    except DecodeError:
        return None
    return message


def canonical(pair: Pair, data: bytes) -> bytes:
    """Return an encoding in the form of Google's library, with sorted maps."""
    return pair.theirs.FromString(data).SerializeToString(deterministic=True)


def peculiar(descriptor: Descriptor, data: bytes) -> bool:
    """Whether the bytes contain one of three cases that we deliberately handle differently from Google's C library.

    Field number 0, which it accepts in messages without fields; a oneof member that a later one replaces, which we do not
    validate; and map entries with unknown fields, which it moves to the unknown fields of the enclosing message.
    """
    oneofs: dict[str, int] = {}
    for number, kind, chunk in _wire_fields(data):
        field = descriptor.fields_by_number.get(number)
        if number == 0:
            return True
        if field is None:
            continue
        if field.containing_oneof and oneofs.setdefault(field.containing_oneof.name, number) != number:
            return True
        if field.message_type is None or kind != 2:
            continue
        if field.message_type.GetOptions().map_entry:
            known = {(f.number, _WIRE_TYPES.get(f.type, 0)) for f in field.message_type.fields}
            if any((n, k) not in known for n, k, _ in _wire_fields(chunk)):
                return True
        if peculiar(field.message_type, chunk):
            return True
    return False


_WIRE_TYPES = {
    **dict.fromkeys((FieldDescriptor.TYPE_DOUBLE, FieldDescriptor.TYPE_FIXED64, FieldDescriptor.TYPE_SFIXED64), 1),
    **dict.fromkeys((FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES, FieldDescriptor.TYPE_MESSAGE), 2),
    **dict.fromkeys((FieldDescriptor.TYPE_FLOAT, FieldDescriptor.TYPE_FIXED32, FieldDescriptor.TYPE_SFIXED32), 5),
}


def _wire_fields(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield number, wire type and content of each field, until the bytes are malformed."""
    pos = 0
    while pos < len(data):
        tag, pos = _number(data, pos)
        size = {1: 8, 5: 4}.get(tag & 7, 0)
        if tag & 7 == 0:
            pos = _number(data, pos)[1]
        elif tag & 7 == 2:
            size, pos = _number(data, pos)
        yield tag >> 3, tag & 7, data[pos : pos + size]
        pos += size


def _number(data: bytes, pos: int) -> tuple[int, int]:
    value = shift = 0
    while pos < len(data):
        value |= (data[pos] & 127) << shift
        shift += 7
        pos += 1
        if data[pos - 1] < 128:
            break
    return value, pos
