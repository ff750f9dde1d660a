"""The contents of message modules."""

from __future__ import annotations

import attrs

from flyte_codegen.definitions import deprecations
from flyte_codegen.definitions.model import Api, Enum, Field, File, Label, Message
from flyte_codegen.diagnostics import Diagnostic, error
from flyte_codegen.names import MESSAGE_MODULE, json_name
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
    cases: tuple[str, ...]
    stores: tuple[codec.Store, ...]
    puts: tuple[codec.Put, ...]


@attrs.frozen
class PyModule:
    """A module of messages, ready for the templates."""

    path: str
    source: str
    doc: str
    type_imports: tuple[str, ...]
    messages: tuple[PyMessage, ...]
    enums: tuple[Enum, ...]


def modules(api: Api, naming: Naming, findings: list[Diagnostic]) -> list[PyModule]:
    """Return the message modules to write: of all files except those from [extern] packages."""
    return [_lay_out(f, naming, findings) for f in api.files if (f.messages or f.enums) and not naming.is_extern(f)]


def _lay_out(file: File, naming: Naming, findings: list[Diagnostic]) -> PyModule:
    """Build the module of a file."""
    own = {x.py_name for x in file.types}
    fields = [field for message in file.messages for field in message.fields]
    for field in fields:
        if field.py_name in own:
            findings.append(
                error(field.place, f"field {field.name} shadows the class of the same name", "rename the field")
            )
    # An imported type must not have a field's name: in the class body, the name would mean the field.
    taken = own | MESSAGE_MODULE | {field.py_name for field in fields}
    types = TypeNames(naming, taken, f"{naming.package}.messages.{file.module}")
    messages = tuple(_message(message, types) for message in file.messages)
    return PyModule(
        path=file.module,
        source=file.name,
        doc=file.doc or f"Messages of {file.name}.",
        type_imports=tuple(sorted(types.lines)),
        messages=messages,
        enums=deprecations.in_enums(file.enums),
    )


def _message(message: Message, types: TypeNames) -> PyMessage:
    mixin, doc = _WELL_KNOWN.get(message.full_name, ("", ""))
    return PyMessage(
        name=message.py_name,
        full_name=message.full_name,
        bases=f"{mixin}, Message" if mixin else "Message",
        doc=deprecations.noted(message.doc or doc or f"`{message.full_name}`.", message.deprecated),
        fields=tuple(_field(f, types) for f in message.fields),
        cases=tuple(codec.case(name) for name in message.oneofs),
        stores=tuple(store for field in message.fields for store in codec.stores(field)),
        puts=tuple(codec.put(f) for f in message.fields),
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
