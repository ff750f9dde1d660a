"""What the generator can work with: which files of a descriptor set, and which names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    Edition,
    EnumDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)

from .diagnostics import CodegenError, Diagnostic, error

_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_DESCRIPTOR = "google/protobuf/descriptor.proto"


def supported(descriptors: FileDescriptorSet) -> list[FileDescriptorProto]:
    """The files to generate from: those of proto3. Others are passed over while they only define options.

    Raises:
        CodegenError: A file in another syntax does more than that, or a name is no identifier.
    """
    findings: list[Diagnostic] = []
    proto3 = [file for file in descriptors.file if file.syntax == "proto3"]
    used = {name for file in proto3 for name in _references(file)}
    for file in descriptors.file:
        if file.syntax == "proto3":
            continue
        defined = set(_defined([*file.message_type, *file.enum_type], file.package))
        if file.service or defined & used or not (file.extension or file.name == _DESCRIPTOR):
            message = f"{_syntax(file)} is not supported: its defaults, groups and presence differ from those of proto3"
            findings.append(error(file.name, message, 'write syntax = "proto3"'))
    for file in proto3:
        findings += [error(file.name, f"{name!r} is not a name") for name in _names(file) if not _NAME.fullmatch(name)]
    if findings:
        raise CodegenError(findings)
    return proto3


def _syntax(file: FileDescriptorProto) -> str:
    if file.syntax == "editions":
        return Edition.Name(file.edition).lower().replace("_", " ")
    return file.syntax or "proto2"


def _names(file: FileDescriptorProto) -> Iterator[str]:
    """Every name that becomes code. protoc lets only identifiers pass, but a descriptor set may come from elsewhere."""
    if file.package:
        yield from file.package.split(".")
    messages, enums = list(file.message_type), list(file.enum_type)
    while messages:
        message = messages.pop()
        messages += message.nested_type
        enums += message.enum_type
        yield from (message.name, *(f.name for f in message.field), *(o.name for o in message.oneof_decl))
    for enum in enums:
        yield from (enum.name, *(v.name for v in enum.value))
    for service in file.service:
        yield from (service.name, *(m.name for m in service.method))


def _references(file: FileDescriptorProto) -> Iterator[str]:
    """Full names of the types that a file's fields and methods refer to."""
    waiting = list(file.message_type)
    while waiting:
        message = waiting.pop()
        waiting += message.nested_type
        yield from (field.type_name.lstrip(".") for field in message.field)
    for service in file.service:
        for method in service.method:
            yield method.input_type.lstrip(".")
            yield method.output_type.lstrip(".")


def _defined(types: Iterable[DescriptorProto | EnumDescriptorProto], scope: str) -> Iterator[str]:
    for found in types:
        name = f"{scope}.{found.name}".lstrip(".")
        yield name
        if isinstance(found, DescriptorProto):
            yield from _defined([*found.nested_type, *found.enum_type], name)
