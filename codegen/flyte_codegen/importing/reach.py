"""Which files a set of root files uses, directly or through others."""

import importlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto

from .problem import ImportProblem

Files = Mapping[str, FileDescriptorProto]

_PATH = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9_.+-]*/)*[A-Za-z0-9_][A-Za-z0-9_.+-]*\.proto")
# These come with protoc, so no copy of them is written.
_WELL_KNOWN = re.compile(r"google/protobuf/([a-z_]+)\.proto")


def is_well_known(path: str) -> bool:
    """Whether protoc brings this file along itself."""
    return _WELL_KNOWN.fullmatch(path) is not None


def messages_of(file: FileDescriptorProto) -> Iterator[tuple[str, DescriptorProto]]:
    """Every message of a file with its full name, parents first."""
    todo = [(_join(file.package, message.name), message) for message in reversed(file.message_type)]
    while todo:
        name, message = todo.pop()
        yield name, message
        todo.extend((f"{name}.{nested.name}", nested) for nested in reversed(message.nested_type))


def type_names(file: FileDescriptorProto) -> Iterator[str]:
    """Full names of the messages and enums that a file defines."""
    for enum in file.enum_type:
        yield _join(file.package, enum.name)
    for name, message in messages_of(file):
        yield name
        for enum in message.enum_type:
            yield f"{name}.{enum.name}"


def used_types(file: FileDescriptorProto) -> set[str]:
    """Full names of the types that fields and methods of a file refer to; extensions do not count."""
    used = {field.type_name for _, message in messages_of(file) for field in message.field if field.type_name}
    for service in file.service:
        for method in service.method:
            used |= {method.input_type, method.output_type}
    return {name.removeprefix(".") for name in used}


def used_imports(file: FileDescriptorProto, owners: Mapping[str, str]) -> list[str]:
    """The files whose types this one uses, sorted: its imports less those that only carry options."""
    used: set[str] = set()
    for name in used_types(file):
        owner = owners.get(name)
        if owner is None:
            raise ImportProblem(
                f"{file.name} uses {name}, which no wheel defines; add its wheel to `also` in import.toml"
            )
        used.add(owner)
    return sorted(used - {file.name})


def find_files(roots: Sequence[str], wheels: Sequence[Files]) -> tuple[dict[str, FileDescriptorProto], dict[str, str]]:
    """The files that the roots reach, by path, and for every type seen the path of the file that defines it.

    Well-known files take part in the second result only. An earlier wheel wins when several hold a file.
    """
    available: dict[str, FileDescriptorProto] = {}
    for wheel in reversed(wheels):
        available.update(wheel)
    for root in roots:
        if root not in available:
            raise ImportProblem(f"no wheel holds {root!r}; correct `roots` in import.toml or give another wheel")
    owners = {name: file.name for file in available.values() for name in type_names(file)}
    for path in sorted({path for file in available.values() for path in file.dependency if is_well_known(path)}):
        owners.update((name, path) for name in type_names(_well_known(path)))
    found: dict[str, FileDescriptorProto] = {}
    todo = list(roots)
    while todo:
        path = todo.pop()
        if path in found or is_well_known(path):
            continue
        file = available[path]
        # The wheel is untrusted data, and this becomes the path of a file that is written.
        if not _PATH.fullmatch(path):
            raise ImportProblem(
                f"a wheel names a file {path!r}, which is no plain relative path; do not use that wheel"
            )
        if file.syntax != "proto3":
            raise ImportProblem(
                f"{path} is {file.syntax or 'proto2'}, and only proto3 is supported; drop what reaches it"
            )
        found[path] = file
        todo.extend(used_imports(file, owners))
    return dict(sorted(found.items())), owners


def well_known_files(paths: Iterable[str]) -> list[FileDescriptorProto]:
    """The descriptors of well-known files, dependencies first, each once."""
    ordered: dict[str, FileDescriptorProto] = {}

    def add(path: str) -> None:
        if path not in ordered:
            file = _well_known(path)
            for dependency in file.dependency:
                add(dependency)
            ordered[path] = file

    for path in paths:
        add(path)
    return list(ordered.values())


def _well_known(path: str) -> FileDescriptorProto:
    match = _WELL_KNOWN.fullmatch(path)
    assert match is not None
    file = FileDescriptorProto()
    try:
        importlib.import_module(f"google.protobuf.{match[1]}_pb2").DESCRIPTOR.CopyToProto(file)
    except ModuleNotFoundError:
        raise ImportProblem(f"{path} is not among protobuf's well-known files; upgrade protobuf") from None
    return file


def _join(package: str, name: str) -> str:
    return f"{package}.{name}" if package else name
