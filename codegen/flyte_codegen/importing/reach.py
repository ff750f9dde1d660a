"""Find the files that a set of root files uses, directly or indirectly."""

import importlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto

from .problem import ImportProblem

Files = Mapping[str, FileDescriptorProto]

_PATH = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9_.+-]*/)*[A-Za-z0-9_][A-Za-z0-9_.+-]*\.proto")
# protoc brings these files along, so they are not written.
_WELL_KNOWN = re.compile(r"google/protobuf/([a-z_]+)\.proto")


def is_well_known(path: str) -> bool:
    """Whether protoc includes this file."""
    return _WELL_KNOWN.fullmatch(path) is not None


def messages_of(file: FileDescriptorProto) -> Iterator[tuple[str, DescriptorProto]]:
    """Yield every message of a file with its full name, parents first."""
    todo = [(_join(file.package, message.name), message) for message in reversed(file.message_type)]
    while todo:
        name, message = todo.pop()
        yield name, message
        todo.extend((f"{name}.{nested.name}", nested) for nested in reversed(message.nested_type))


def type_names(file: FileDescriptorProto) -> Iterator[str]:
    """Yield the full names of the messages and enums that a file defines."""
    for enum in file.enum_type:
        yield _join(file.package, enum.name)
    for name, message in messages_of(file):
        yield name
        for enum in message.enum_type:
            yield f"{name}.{enum.name}"


def used_types(file: FileDescriptorProto) -> set[str]:
    """Return the full names of the types that a file's fields and methods refer to, without extensions."""
    used = {field.type_name for _, message in messages_of(file) for field in message.field if field.type_name}
    for service in file.service:
        for method in service.method:
            used |= {method.input_type, method.output_type}
    return {name.removeprefix(".") for name in used}


def used_imports(file: FileDescriptorProto, owners: Mapping[str, str]) -> list[str]:
    """Return the imports that a file uses types from, sorted. Imports used only for options are left out."""
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
    """Return the files that the roots reach, by path, and the path of the defining file for every type.

    Well-known files occur only in the second result. If several wheels have a file, the first wheel wins.
    """
    available: dict[str, FileDescriptorProto] = {}
    for wheel in reversed(wheels):
        available.update(wheel)
    for root in roots:
        if root not in available:
            raise ImportProblem(f"no wheel holds {root!r}; correct `roots` in import.toml or pass another wheel")
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
        # Wheels are untrusted, and this name becomes the path of a written file.
        if not _PATH.fullmatch(path):
            raise ImportProblem(
                f"a wheel has a file named {path!r}, which is not a plain relative path; do not use that wheel"
            )
        if file.syntax != "proto3":
            raise ImportProblem(
                f"{path} uses {file.syntax or 'proto2'}, and only proto3 is supported; remove the roots that import it"
            )
        found[path] = file
        todo.extend(used_imports(file, owners))
    return dict(sorted(found.items())), owners


def well_known_files(paths: Iterable[str]) -> list[FileDescriptorProto]:
    """Return the descriptors of well-known files, each once, dependencies first."""
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
