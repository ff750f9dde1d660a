"""Select the files of a descriptor set to generate from, and check their names."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)

from flyte_codegen.diagnostics import Diagnostic, error

_DESCRIPTOR = "google/protobuf/descriptor.proto"
_OPTIONS = re.compile(r"\.google\.protobuf\.[A-Za-z]+Options")
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)


def needed(
    descriptors: FileDescriptorSet, own: Collection[str] | None = None, mentioned: Collection[str] = ()
) -> list[FileDescriptorProto]:
    """Return the files to generate from.

    These are the user's own files, the files that they import, files with a name that is mentioned in codegen.toml, and
    every file with a type that one of these files uses. Files for options only are left out, unless their types are used:
    generated code does not contain options.

    Args:
        descriptors: All files.
        own: The names of the user's own files; None if all are.
        mentioned: Names of types, services and RPCs.
    """
    files = {file.name: file for file in descriptors.file}
    for_options = _for_options(descriptors.file)
    wanted = {name for name in files if (own is None or name in own) and name not in for_options}
    imported = {name for found in wanted for name in files[found].dependency}
    wanted |= {name for name in imported if name in files and name not in for_options}
    prefixes = {".".join(name.split(".")[:i]) for name in mentioned for i in range(1, name.count(".") + 2)}
    wanted |= {name for name, file in files.items() if not prefixes.isdisjoint((*defined(file), *_services(file)))}
    home = {type_name: name for name, file in files.items() for type_name in defined(file)}
    kept: set[str] = set()
    while wanted:
        kept |= wanted
        used = {type_name for name in wanted for type_name in _references(files[name])}
        wanted = {home[type_name] for type_name in used if type_name in home} - kept
    return [file for name, file in files.items() if name in kept]


def _for_options(files: Sequence[FileDescriptorProto]) -> set[str]:
    """Return the names of files that serve only the definition of options.

    These are files that define options (in proto3, which is also used for messages, only those without other types),
    files with nothing but types of options, and files with types of options that only such files import.
    """
    option_types = _option_types(files)
    importers: dict[str, set[str]] = {}
    for file in files:
        for name in file.dependency:
            importers.setdefault(name, set()).add(file.name)
    found: set[str] = set()
    waiting = {file.name: set(defined(file)) for file in files if not file.service}
    for file in (file for file in files if file.name in waiting):
        types = waiting[file.name]
        defines = file.name == _DESCRIPTOR or any(is_option(extension) for extension, _ in extensions(file))
        if (types <= option_types and (types or defines)) or (defines and file.syntax != "proto3"):
            found.add(file.name)
    while more := {
        name
        for name, types in waiting.items()
        if name not in found and types & option_types and name in importers and importers[name] <= found
    }:
        found |= more
    return found


def _option_types(files: Iterable[FileDescriptorProto]) -> set[str]:
    """Return the full names of the types of options, and of the types that their fields use."""
    uses = {name: set(types) for file in files for name, types in _uses(file)}
    waiting = {
        extension.type_name.lstrip(".")
        for file in files
        for extension, _ in extensions(file)
        if is_option(extension) and extension.type_name
    }
    found: set[str] = set()
    while waiting:
        found |= waiting
        waiting = {used for name in waiting for used in uses.get(name, ())} - found
    return found


def invalid_names(file: FileDescriptorProto) -> Iterator[Diagnostic]:
    """Yield an error for each name that is not an identifier."""
    for name in _names(file):
        if not _NAME.fullmatch(name):
            yield error(file.name, f"{name!r} is not a valid identifier")


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
    for _, types in _uses(file):
        yield from types
    for service in file.service:
        for method in service.method:
            yield method.input_type.lstrip(".")
            yield method.output_type.lstrip(".")


def _uses(file: FileDescriptorProto) -> Iterator[tuple[str, list[str]]]:
    """Yield each message of a file with the types of its fields, by full name."""
    for name, message in _full_names(file):
        yield name, [field.type_name.lstrip(".") for field in message.field if field.type_name]


def _services(file: FileDescriptorProto) -> Iterator[str]:
    yield from (f"{file.package}.{service.name}".lstrip(".") for service in file.service)


def defined(file: FileDescriptorProto) -> Iterator[str]:
    """Yield the full names of a file's messages and enums."""
    yield from (name for name, _ in enums(file))
    yield from (name for name, _ in _full_names(file))


def enums(file: FileDescriptorProto) -> Iterator[tuple[str, EnumDescriptorProto]]:
    """Yield the enums of a file, by full name."""
    prefix = f"{file.package}." if file.package else ""
    yield from ((prefix + enum.name, enum) for enum in file.enum_type)
    for name, message in _full_names(file):
        yield from ((f"{name}.{enum.name}", enum) for enum in message.enum_type)


def _full_names(file: FileDescriptorProto) -> Iterator[tuple[str, DescriptorProto]]:
    """Yield the messages of a file, by full name."""

    def inside(scope: str, messages: Iterable[DescriptorProto]) -> Iterator[tuple[str, DescriptorProto]]:
        for message in messages:
            name = f"{scope}.{message.name}" if scope else message.name
            yield name, message
            yield from inside(name, message.nested_type)

    yield from inside(file.package, file.message_type)
