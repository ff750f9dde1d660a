"""Read comments of existing ``.proto`` files by element, so that the next import can keep them."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FileDescriptorProto,
    SourceCodeInfo,
)

from .protoc import compile_protos

_Path = tuple[int, ...]
# Field numbers of descriptor.proto, which occur in source paths.
_FILE_PACKAGE, _FILE_MESSAGE, _FILE_ENUM, _FILE_SERVICE, _FILE_SYNTAX = 2, 4, 5, 6, 12
_MESSAGE_FIELD, _MESSAGE_NESTED, _MESSAGE_ENUM, _MESSAGE_ONEOF = 2, 3, 4, 8
_ENUM_VALUE = _SERVICE_METHOD = 2

# A string (skipped), or a comment of either kind.
_COMMENT = re.compile(r""""(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|//([^\n]*)|/\*(.*?)\*/""", re.DOTALL)


def read_comments(directory: Path, paths: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Return the comments of the given files by element, and a warning for each comment without an element.

    The key is the element's full name (enum values include their enum), or a file's path. Several comments on one
    element become paragraphs of one comment.
    """
    comments: dict[str, str] = {}
    warnings: list[str] = []
    for path, file in compile_protos(directory, paths).items():
        found = comments_of(file)
        comments.update(found)
        left = _lines_in((directory / path).read_text("utf-8"))
        left.subtract(line for text in found.values() for line in _content(text))
        lost = [line for line, count in left.items() if count > 0]
        if lost:
            warnings.append(
                f"{path}: dropped a comment that belongs to no message, field, oneof, enum, value, service or method: "
                f"{' / '.join(lost)}"
            )
    return comments, warnings


def comments_of(file: FileDescriptorProto) -> dict[str, str]:
    """Return the comments of one compiled file's elements, from source info."""
    at: dict[_Path, list[str]] = {}
    for location in file.source_code_info.location:
        texts = [text for text in _texts(location) if text]
        if texts:
            at.setdefault(tuple(location.path), []).extend(texts)
    comments: dict[str, str] = {}
    for path, key in elements(file):
        if path in at:
            comments[key] = "\n\n".join(([comments[key]] if key in comments else []) + at[path])
    return comments


def elements(file: FileDescriptorProto) -> Iterator[tuple[_Path, str]]:
    """Yield every element that can have a comment: its source path and its key."""
    yield (_FILE_SYNTAX,), file.name
    yield (_FILE_PACKAGE,), file.name
    prefix = f"{file.package}." if file.package else ""
    for index, service in enumerate(file.service):
        path = (_FILE_SERVICE, index)
        yield path, prefix + service.name
        for number, method in enumerate(service.method):
            yield (*path, _SERVICE_METHOD, number), f"{prefix}{service.name}.{method.name}"
    for index, message in enumerate(file.message_type):
        yield from _message_elements(message, (_FILE_MESSAGE, index), prefix + message.name)
    for index, enum in enumerate(file.enum_type):
        yield from _enum_elements(enum, (_FILE_ENUM, index), prefix + enum.name)


def _message_elements(message: DescriptorProto, path: _Path, name: str) -> Iterator[tuple[_Path, str]]:
    yield path, name
    for index, field in enumerate(message.field):
        yield (*path, _MESSAGE_FIELD, index), f"{name}.{field.name}"
    for index, oneof in enumerate(message.oneof_decl):
        yield (*path, _MESSAGE_ONEOF, index), f"{name}.{oneof.name}"
    for index, enum in enumerate(message.enum_type):
        yield from _enum_elements(enum, (*path, _MESSAGE_ENUM, index), f"{name}.{enum.name}")
    for index, nested in enumerate(message.nested_type):
        if not nested.options.map_entry:
            yield from _message_elements(nested, (*path, _MESSAGE_NESTED, index), f"{name}.{nested.name}")


def _enum_elements(enum: EnumDescriptorProto, path: _Path, name: str) -> Iterator[tuple[_Path, str]]:
    yield path, name
    for index, value in enumerate(enum.value):
        yield (*path, _ENUM_VALUE, index), f"{name}.{value.name}"


def _texts(location: SourceCodeInfo.Location) -> Iterator[str]:
    for text in (*location.leading_detached_comments, location.leading_comments, location.trailing_comments):
        yield _dedented(text)


def _dedented(text: str) -> str:
    """Strip the space after ``//``, trailing spaces, and blank lines at both ends of a comment."""
    lines = [line.rstrip() for line in text.split("\n")]
    if all(line.startswith(" ") for line in lines if line):
        lines = [line[1:] for line in lines]
    return "\n".join(lines).strip("\n")


def _content(text: str) -> Iterator[str]:
    """Return the non-empty lines of a comment without decoration."""
    for line in text.split("\n"):
        bare = line.strip().strip("*/").strip()
        if bare:
            yield bare


def _lines_in(source: str) -> Counter[str]:
    found: Iterable[re.Match[str]] = _COMMENT.finditer(source)
    return Counter(line for match in found for text in (match[1], match[2]) if text for line in _content(text))
