"""The contents of message modules: one for each file, or for large files, one for each message."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs

from flyte_codegen.definitions import deprecations
from flyte_codegen.definitions.model import Api, Enum, Field, File, Label, Message
from flyte_codegen.names import MESSAGE_MODULE, json_name, snake
from flyte_codegen.text import literal

from . import codec
from . import types as python_types
from .type_names import Naming, TypeNames

_WRAPPED = ("Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes")
# The mixin and the docstring of each well-known type; protoc's definitions come without comments.
_WELL_KNOWN = {
    "google.protobuf.Timestamp": ("TimestampMixin", "An instant, exact to the nanosecond."),
    "google.protobuf.Duration": (
        "DurationMixin",
        "A span of time, exact to the nanosecond; both parts carry the sign.",
    ),
    "google.protobuf.Struct": ("StructMixin", "A JSON object."),
    "google.protobuf.ListValue": ("ListValueMixin", "A JSON array."),
    "google.protobuf.Value": ("ValueMixin", "Any JSON value."),
    "google.protobuf.FieldMask": ("FieldMaskMixin", "A set of field paths."),
    "google.protobuf.Any": ("AnyMixin", "A message of any type, with the name of its type."),
} | {f"google.protobuf.{kind}Value": ("WrapperMixin", "A single value with presence.") for kind in _WRAPPED}

LARGE = 50
"""A file with this number of types or more becomes a package with a module for each message."""

_LISTS = {"message": "sub_list", "enum": "enum_list"}


@attrs.frozen
class PyField:
    """A field in the class body."""

    name: str
    annotation: str
    default: str
    row: tuple[str | int, ...]
    doc: str


@attrs.frozen
class PyMessage:
    """A message class."""

    name: str
    full_name: str
    bases: str
    doc: str
    fields: tuple[PyField, ...]
    codec: codec.Codec


@attrs.frozen
class PyModule:
    """A module of messages, ready for the templates."""

    path: str
    source: str
    doc: str
    type_imports: tuple[str, ...]
    messages: tuple[PyMessage, ...]
    enums: tuple[Enum, ...]


@attrs.frozen
class PyIndex:
    """The module of a large file: it imports the classes on first use, each from the module of its message."""

    path: str
    source: str
    doc: str
    parts: tuple[tuple[str, tuple[str, ...]], ...]


def modules(api: Api, naming: Naming) -> list[PyModule]:
    """Return the message modules to write: of all files except those from [extern] packages."""
    return [module for file in _files(api, naming) for module in _modules(file, naming)]


def indexes(api: Api, naming: Naming) -> list[PyIndex]:
    """Return the modules of large files."""
    return [_index(file) for file in _files(api, naming) if _is_large(file)]


def _files(api: Api, naming: Naming) -> Iterator[File]:
    return (f for f in api.files if (f.messages or f.enums) and not naming.is_extern(f))


def _is_large(file: File) -> bool:
    return len(file.types) >= LARGE


def _modules(file: File, naming: Naming) -> Iterator[PyModule]:
    if not _is_large(file):
        yield _lay_out(file, naming, file.module, file.doc or f"Messages of {file.name}.", file.types)
        return
    for part, types in _parts(file).items():
        doc = f"`{types[0].full_name}`, and the types inside it." if len(types) > 1 else f"`{types[0].full_name}`."
        yield _lay_out(file, naming, f"{file.module}.{part}", doc, types)


def _parts(file: File) -> dict[str, list[Message | Enum]]:
    """Return the modules of a large file, by name: each has a message or enum, and the types inside it."""
    inside: dict[str, list[Message | Enum]] = {}
    for found in file.types:
        own_name = found.full_name.removeprefix(f"{file.package}." if file.package else "")
        inside.setdefault(own_name.partition(".")[0], []).append(found)
    parts: dict[str, list[Message | Enum]] = {}
    for name, types in inside.items():
        # Names of other modules never start with an underscore. Those of two messages may differ in case only.
        part, number = f"_{snake(name)}", 1
        while (unique := part if number == 1 else f"{part}_{number}") in parts:
            number += 1
        parts[unique] = types
    return parts


def _index(file: File) -> PyIndex:
    return PyIndex(
        path=file.module,
        source=file.name,
        doc=file.doc or f"Messages of {file.name}.",
        parts=tuple((part, tuple(found.py_name for found in types)) for part, types in _parts(file).items()),
    )


def _lay_out(file: File, naming: Naming, path: str, doc: str, contents: Sequence[Message | Enum]) -> PyModule:
    """Build a module of some types of a file."""
    messages = tuple(found for found in contents if isinstance(found, Message))
    field_names = {field.py_name for message in messages for field in message.fields}
    # In the class body, the name of a field means the field. So types with such a name are imported under another one,
    # even from the module itself.
    own = {found.full_name for found in contents if found.py_name not in field_names}
    taken = {found.py_name for found in contents} | MESSAGE_MODULE | field_names
    types = TypeNames(naming, taken, own)
    laid_out = tuple(_message(message, types) for message in messages)
    return PyModule(
        path=path,
        source=file.name,
        doc=doc,
        type_imports=tuple(sorted(types.lines)),
        messages=laid_out,
        enums=deprecations.in_enums(found for found in contents if isinstance(found, Enum)),
    )


def _message(message: Message, types: TypeNames) -> PyMessage:
    mixin, doc = _WELL_KNOWN.get(message.full_name, ("", ""))
    return PyMessage(
        name=message.py_name,
        full_name=message.full_name,
        bases=f"{mixin}, Message" if mixin else "Message",
        doc=deprecations.noted(message.doc or doc or f"`{message.full_name}`.", message.deprecated),
        fields=tuple(_field(f, types) for f in message.fields),
        codec=codec.codec(message),
    )


def _field(field: Field, types: TypeNames) -> PyField:
    default = _default(field, types.naming)
    if field.deprecated:
        advice = deprecations.instead(field.doc)
        default = f"deprecated_field({default}{', ' + literal(advice) if advice else ''})"
    doc = deprecations.noted(field.doc, field.deprecated)
    return PyField(field.py_name, python_types.whole(field, types), default, _row(field), doc)


def _row(field: Field) -> tuple[str | int, ...]:
    """Return the field's row in the table, without entries that follow from others."""
    kind = f"map<{field.map_key},{field.map_value}>" if field.label is Label.MAP else field.kind
    proto_name = "" if field.name == field.py_name else field.name
    own_json_name = "" if field.json_name == json_name(field.name) else field.json_name
    row: list[str | int] = [
        field.py_name, field.number, kind, field.label.value, field.oneof, proto_name, own_json_name
    ]  # fmt: skip
    while row[-1] in ("", Label.IMPLICIT.value) and len(row) > 3:
        row.pop()
    return tuple(row)


def _default(field: Field, naming: Naming) -> str:
    """Return the right side of a field: a constant, or a runtime descriptor that decodes the field when read."""
    target = literal(naming.path(field.type_name)) if field.type_name else ""
    if field.label is Label.MAP:
        parts = [literal(field.map_key), literal(field.map_value), *([target] if target else [])]
        return f"map_field({', '.join(parts)})"
    if field.label is Label.REPEATED:
        return f"{_LISTS.get(field.kind, 'scalar_list')}({target})"
    if field.kind == "message":
        return f"sub({target})"
    if field.kind == "enum":
        return f"{'optional_enum' if field.label is Label.OPTIONAL else 'enum_field'}({target})"
    return "None" if field.label is Label.OPTIONAL else python_types.zero(field.kind)
