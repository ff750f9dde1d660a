"""Select the files of a descriptor set to generate from, and check their names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)

from flyte_codegen.diagnostics import CodegenError, error

_DESCRIPTOR = "google/protobuf/descriptor.proto"
_OPTIONS = re.compile(r"\.google\.protobuf\.[A-Za-z]+Options")
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)


def supported(descriptors: FileDescriptorSet) -> list[FileDescriptorProto]:
    """Return the files to generate from. Files that define options are skipped unless their types are used.

    Generated code does not contain options, and the files that define them consist mostly of types for options.

    Raises:
        CodegenError: A name is not an identifier.
    """
    waiting = [file for file in descriptors.file if _defines_options(file)]
    kept = [file for file in descriptors.file if not _defines_options(file)]
    used = {name for file in kept for name in _references(file)}
    while found := [file for file in waiting if used.intersection(defined(file))]:
        kept += found
        waiting = [file for file in waiting if file not in found]
        used |= {name for file in found for name in _references(file)}
    findings = [
        error(file.name, f"{name!r} is not a valid identifier")
        for file in kept
        for name in _names(file)
        if not _NAME.fullmatch(name)
    ]
    if findings:
        raise CodegenError(findings)
    return kept


def extensions(file: FileDescriptorProto) -> Iterator[tuple[FieldDescriptorProto, tuple[int, ...]]]:
    """Yield the extension fields in a file, each with its source path."""
    for i, extension in enumerate(file.extension):
        yield extension, (7, i)
    for message, path in _messages(file.message_type, (4,)):
        for i, extension in enumerate(message.extension):
            yield extension, (*path, 6, i)


def is_option(extension: FieldDescriptorProto) -> bool:
    """Whether an extension field is an option, not part of a message that is sent."""
    return bool(_OPTIONS.fullmatch(extension.extendee))


def _defines_options(file: FileDescriptorProto) -> bool:
    if file.syntax == "proto3" or file.service:
        return False
    return file.name == _DESCRIPTOR or any(is_option(extension) for extension, _ in extensions(file))


def _messages(
    messages: Sequence[DescriptorProto], path: tuple[int, ...]
) -> Iterator[tuple[DescriptorProto, tuple[int, ...]]]:
    for i, message in enumerate(messages):
        yield message, (*path, i)
        yield from _messages(message.nested_type, (*path, i, 3))


def _names(file: FileDescriptorProto) -> Iterator[str]:
    """Yield every name that becomes code. protoc accepts only identifiers, but descriptor sets have other sources too."""
    if file.package:
        yield from file.package.split(".")
    enums = list(file.enum_type)
    for message, _ in _messages(file.message_type, (4,)):
        enums += message.enum_type
        yield from (message.name, *(f.name for f in message.field), *(o.name for o in message.oneof_decl))
    for enum in enums:
        yield from (enum.name, *(v.name for v in enum.value))
    for service in file.service:
        yield from (service.name, *(m.name for m in service.method))


def _references(file: FileDescriptorProto) -> Iterator[str]:
    """Yield the full names of the types that a file's fields and methods refer to."""
    for message, _ in _messages(file.message_type, (4,)):
        yield from (field.type_name.lstrip(".") for field in message.field)
    for service in file.service:
        for method in service.method:
            yield method.input_type.lstrip(".")
            yield method.output_type.lstrip(".")


def defined(file: FileDescriptorProto) -> Iterator[str]:
    """Yield the full names of a file's messages and enums."""
    yield from _inside(file.package, file.message_type, file.enum_type)


def _inside(scope: str, messages: Iterable[DescriptorProto], enums: Iterable[EnumDescriptorProto]) -> Iterator[str]:
    prefix = f"{scope}." if scope else ""
    yield from (prefix + enum.name for enum in enums)
    for message in messages:
        yield prefix + message.name
        yield from _inside(prefix + message.name, message.nested_type, message.enum_type)
