"""The options that are kept in the text, and the reduced form of descriptors for comparison.

Custom options and their definitions, ``go_package`` and other file options, and imports used only by those options are
dropped, because a Python client does not need them.
"""

from collections.abc import Mapping
from typing import Any

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FileDescriptorProto,
    MethodOptions,
)
from google.protobuf.message import Message

from .reach import messages_of, used_imports

CARRIED: Mapping[str, tuple[str, ...]] = {
    "FileOptions": ("deprecated",),
    "MessageOptions": ("deprecated",),
    "FieldOptions": ("deprecated", "packed"),
    "EnumOptions": ("allow_alias", "deprecated"),
    "EnumValueOptions": ("deprecated",),
    "ServiceOptions": ("deprecated",),
    "MethodOptions": ("deprecated", "idempotency_level"),
}


def carried(options: Message) -> list[tuple[str, str]]:
    """Return the kept options that are set, as name and proto literal, sorted by name."""
    found: list[tuple[str, str]] = []
    for name in CARRIED.get(options.DESCRIPTOR.name, ()):
        if options.HasField(name):
            value = getattr(options, name)
            if name == "idempotency_level":
                found.append((name, MethodOptions.IdempotencyLevel.Name(value)))
            else:
                found.append((name, "true" if value else "false"))
    return found


def default_json_name(name: str) -> str:
    """Return protoc's default JSON name: drop underscores, capitalize the letter after each (ASCII only)."""
    parts: list[str] = []
    capital = False
    for char in name:
        if char == "_":
            capital = True
        else:
            parts.append(char.upper() if capital and char.isascii() else char)
            capital = False
    return "".join(parts)


def comparable(file: FileDescriptorProto, owners: Mapping[str, str]) -> FileDescriptorProto:
    """Return a copy with only what the text keeps. Two files are equivalent if these copies are equal."""
    copy = FileDescriptorProto()
    copy.CopyFrom(file)
    for field in ("source_code_info", "extension", "public_dependency", "weak_dependency", "dependency"):
        copy.ClearField(field)
    copy.dependency.extend(used_imports(file, owners))
    _reduce(copy)
    for _, message in messages_of(copy):
        _reduce_message(message)
    for enum in copy.enum_type:
        _reduce_enum(enum)
    for service in copy.service:
        _reduce(service)
        for method in service.method:
            _reduce(method)
            # In text, "not streaming" has one spelling; in descriptors two: unset and false.
            for flag in ("client_streaming", "server_streaming"):
                if not getattr(method, flag):
                    method.ClearField(flag)
    return copy


def _reduce_message(message: DescriptorProto) -> None:
    message.ClearField("extension")
    if not message.options.map_entry:
        _reduce(message)
    for field in message.field:
        _reduce(field)
        field.json_name = field.json_name or default_json_name(field.name)
    for oneof in message.oneof_decl:
        oneof.ClearField("options")
    for enum in message.enum_type:
        _reduce_enum(enum)


def _reduce_enum(enum: EnumDescriptorProto) -> None:
    _reduce(enum)
    for value in enum.value:
        _reduce(value)


def _reduce(element: Any) -> None:
    """Remove all but the kept options from an element, which is any message with an ``options`` field."""
    kept = {name: getattr(element.options, name) for name, _ in carried(element.options)}
    element.ClearField("options")
    for name, value in kept.items():
        setattr(element.options, name, value)
