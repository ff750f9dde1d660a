"""What a module of messages looks like in Python: annotations, imports, and the codec, field by field."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs

from .diagnostics import Diagnostic, error
from .model import Api, Enum, Field, File, Label, Message
from .names import json_name

_SCALARS = {"string": "str", "bytes": "bytes", "bool": "bool", "double": "float", "float": "float"}
_DEFAULTS = {"str": '""', "bytes": 'b""', "bool": "False", "float": "0.0", "int": "0"}
_WIRE_TYPE: dict[str, int] = (
    dict.fromkeys(("double", "fixed64", "sfixed64"), 1)
    | dict.fromkeys(("float", "fixed32", "sfixed32"), 5)
    | dict.fromkeys(("string", "bytes", "message", "map"), 2)
)
# The expression that turns what stands on the wire, `value` or `chunk`, into the field's value.
_READ = {
    "string": 'str(chunk, "utf-8")',
    "bytes": "chunk",
    "message": "chunk",
    "map": "chunk",
    "bool": "value != 0",
    "uint64": "value",
    "uint32": "low32(value)",
    "int32": "signed32(value)",
    "int64": "signed64(value)",
    "enum": "signed32(value)",
    "sint32": "zigzag32(value)",
    "sint64": "zigzag(value)",
    "fixed32": "unsigned(chunk)",
    "fixed64": "unsigned(chunk)",
    "sfixed32": "signed(chunk)",
    "sfixed64": "signed(chunk)",
    "double": "double(chunk)",
    "float": "float32(chunk)",
}
_PACKED_READER = {"bool": "bool", "uint64": "None"}
_WELL_KNOWN = {
    "google.protobuf.Timestamp": "TimestampMixin",
    "google.protobuf.Duration": "DurationMixin",
    "google.protobuf.Struct": "StructMixin",
    "google.protobuf.ListValue": "ListValueMixin",
    "google.protobuf.Value": "ValueMixin",
    "google.protobuf.FieldMask": "FieldMaskMixin",
    "google.protobuf.Any": "AnyMixin",
} | {
    f"google.protobuf.{kind}Value": "WrapperMixin"
    for kind in ("Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes")
}


@attrs.frozen
class Store:
    """One branch of a decoder: for this tag, this statement. `case` keeps a oneof to its last member."""

    tag: int
    statement: str
    key: str
    case: str


@attrs.frozen
class Put:
    """One step of an encoder, for the field under `key`, written with the `tag` bytes in front."""

    style: str
    key: str
    raw: str
    tag: str
    write: str
    key_tag: str = ""
    key_write: str = ""
    value_tag: str = ""
    test: str = "v"


@attrs.frozen
class PyField:
    """A field as it stands in the class body."""

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
    stores: dict[int, list[Store]]
    puts: tuple[Put, ...]


@attrs.frozen
class PyModule:
    """A module of messages, ready to be laid out."""

    path: str
    source: str
    doc: str
    runtime: tuple[str, ...]
    type_imports: tuple[str, ...]
    messages: tuple[PyMessage, ...]
    enums: tuple[Enum, ...]


class Naming:
    """Where generated things live: the package they are written to, or one that others generated."""

    def __init__(self, api: Api, package: str, extern: dict[str, str]) -> None:
        self.api, self.package, self.extern = api, package, extern

    def is_extern(self, file: File) -> bool:
        """Whether the file's messages come from another package."""
        return self._owner(file) != self.package

    def _owner(self, file: File) -> str:
        prefixes = [p for p in self.extern if file.package == p or file.package.startswith(p + ".")]
        return self.extern[max(prefixes, key=len)] if prefixes else self.package

    def module(self, full_name: str) -> str:
        """The module that holds a message or enum."""
        file = self.api.file_of[full_name]
        return f"{self._owner(file)}.messages.{file.module}"

    def py_name(self, full_name: str) -> str:
        """The class of a message or enum."""
        found = self.api.messages.get(full_name) or self.api.enums[full_name]
        return found.py_name

    def path(self, full_name: str) -> str:
        """The import path of a message or enum, `module:Class`."""
        return f"{self.module(full_name)}:{self.py_name(full_name)}"


class TypeNames:
    """The names that one module uses for the types of others; a second type of the same name gets an alias."""

    def __init__(self, naming: Naming, taken: Iterable[str], home: str = "") -> None:
        self.naming, self.home = naming, home
        self.names: dict[str, str] = {}
        self.taken = set(taken)
        self.lines: set[str] = set()

    def name(self, full_name: str) -> str:
        """How the module refers to the type."""
        module, cls = self.naming.module(full_name), self.naming.py_name(full_name)
        if module == self.home:
            return cls
        if full_name not in self.names:
            local = cls
            if local in self.taken:
                words = full_name.split(".")[:-1][-1:]
                local = "".join(w[:1].upper() + w[1:] for w in words) + cls
            while local in self.taken:
                local = "X" + local
            self.taken.add(local)
            self.names[full_name] = local
            alias = "" if local == cls else f" as {local}"
            self.lines.add(f"from {module} import {cls}{alias}")
        return self.names[full_name]


def lay_out(file: File, naming: Naming, findings: list[Diagnostic]) -> PyModule:
    """Decide everything about a file's module."""
    home = f"{naming.package}.messages.{file.module}"
    own = {x.py_name for x in file.types}
    types = TypeNames(naming, own | {"Message", "Enum", "Slots", "TYPE_CHECKING"}, home)
    runtime: set[str] = {"Message"} if file.messages else set()
    if file.enums:
        runtime.add("Enum")
    messages: list[PyMessage] = []
    for message in file.messages:
        messages.append(_message(message, types, runtime))
        _check_fields(message, own, findings)
    return PyModule(
        path=file.module,
        source=file.name,
        doc=file.doc,
        runtime=tuple(sorted(runtime)),
        type_imports=tuple(sorted(types.lines)),
        messages=tuple(messages),
        enums=file.enums,
    )


def _check_fields(message: Message, classes: set[str], findings: list[Diagnostic]) -> None:
    for field in message.fields:
        if field.py_name in classes:
            findings.append(
                error(
                    field.place,
                    f"field {message.full_name}.{field.name} hides the class of that name",
                    "rename the field",
                )
            )


def _message(message: Message, types: TypeNames, runtime: set[str]) -> PyMessage:
    mixin = _WELL_KNOWN.get(message.full_name)
    if mixin:
        runtime.add(mixin)
    stores: dict[int, list[Store]] = {0: [], 1: [], 2: [], 5: []}
    for field in message.fields:
        for kind, store in _stores(field, runtime):
            stores[kind].append(store)
    if message.fields:
        runtime.update(("Slots", "unknown", "varint32"))
    if stores[0]:
        runtime.add("varint")
    if any("again(" in store.statement for store in stores[2]):
        runtime.add("again")
    if stores[1] or stores[2] or stores[5]:
        runtime.update(("CUT", "DecodeError"))
    return PyMessage(
        name=message.py_name,
        full_name=message.full_name,
        bases=f"{mixin}, Message" if mixin else "Message",
        doc=message.doc,
        fields=tuple(_field(f, types, runtime) for f in message.fields),
        cases=tuple(_case(name) for name in message.oneofs),
        stores=stores,
        puts=tuple(_put(f, runtime) for f in message.fields),
    )


def _case(oneof: str) -> str:
    return f"{oneof}_case"


def _field(field: Field, types: TypeNames, runtime: set[str]) -> PyField:
    annotation, default, maker = _declaration(field, types)
    if maker:
        runtime.add(maker)
    kind = f"map<{field.map_key},{field.map_value}>" if field.label is Label.MAP else field.kind
    label = field.label.value
    row = _row(field, kind, label)
    doc = f"Deprecated. {field.doc}".strip() if field.deprecated else field.doc
    return PyField(field.py_name, annotation, default, row, doc)


def _row(field: Field, kind: str, label: str) -> tuple[str | int, ...]:
    """The field's row in the table, without what follows from the rest of it."""
    proto_name = "" if field.name == field.py_name else field.name
    own_json_name = "" if field.json_name == json_name(field.name) else field.json_name
    row: list[str | int] = [field.py_name, field.number, kind, label, field.oneof, proto_name, own_json_name]
    while row[-1] in ("", Label.IMPLICIT.value) and len(row) > 3:
        row.pop()
    return tuple(row)


def _declaration(field: Field, types: TypeNames) -> tuple[str, str, str]:
    """The annotation, the right side, and the runtime function that the right side calls."""
    target = types.naming.path(field.type_name) if field.type_name else ""
    if field.label is Label.MAP:
        value = types.name(field.type_name) if target else _SCALARS.get(field.map_value, "int")
        reference = f', "{target}"' if target else ""
        default = f'map_field("{field.map_key}", "{field.map_value}"{reference})'
        return f"dict[{_SCALARS.get(field.map_key, 'int')}, {value}]", default, "map_field"
    single = types.name(field.type_name) if target else _SCALARS.get(field.kind, "int")
    if field.label is Label.REPEATED:
        maker = {"message": "sub_list", "enum": "enum_list"}.get(field.kind, "scalar_list")
        return f"list[{single}]", f'{maker}("{target}")' if target else f"{maker}()", maker
    if field.kind == "message":
        return f"{single} | None", f'sub("{target}")', "sub"
    if field.kind == "enum":
        maker = "optional_enum" if field.label is Label.OPTIONAL else "enum_field"
        return single + (" | None" if field.label is Label.OPTIONAL else ""), f'{maker}("{target}")', maker
    if field.label is Label.OPTIONAL:
        return f"{single} | None", "None", ""
    return single, _DEFAULTS[single], ""


def _stores(field: Field, runtime: set[str]) -> list[tuple[int, Store]]:
    """The decoder branches of a field: its own wire type, and the packed form where there is one."""
    wire_type = _WIRE_TYPE.get(field.kind, 0)
    read = _READ[field.kind]
    deferred = field.kind in ("message", "enum", "map")
    key = ("*" if deferred else "") + field.py_name
    case = _case(field.oneof) if field.oneof else ""
    _use(read, runtime)
    slot = f'd["{key}"]'
    if field.label in (Label.REPEATED, Label.MAP):
        statement = f'd.setdefault("{key}", []).append({read})'
    elif field.kind == "message":
        statement = f'{slot} = again({slot}, chunk) if "{key}" in d else chunk'
    else:
        statement = f"{slot} = {read}"
    found = [(wire_type, Store(field.number << 3 | wire_type, statement, key, case))]
    if field.label is Label.REPEATED and wire_type != 2:
        extend = f'd.setdefault("{key}", []).extend({_unpack(field.kind, wire_type, read, runtime)})'
        found.append((2, Store(field.number << 3 | 2, extend, key, case)))
    return found


def _unpack(kind: str, wire_type: int, read: str, runtime: set[str]) -> str:
    if wire_type:
        runtime.add("packed_fixed")
        return f"packed_fixed(chunk, {8 if wire_type == 1 else 4}, {read.split('(')[0]})"
    runtime.add("packed")
    reader = _PACKED_READER.get(kind, read.split("(")[0])
    return "packed(chunk)" if reader == "None" else f"packed(chunk, {reader})"


def _use(expression: str, runtime: set[str]) -> None:
    name = expression.split("(")[0]
    if "(" in expression and name != "str":
        runtime.add(name)


def _tag(number: int, wire_type: int) -> str:
    value, out = number << 3 | wire_type, bytearray()
    while value > 127:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return 'b"' + "".join(f"\\x{b:02x}" for b in out) + '"'


def _put(field: Field, runtime: set[str]) -> Put:
    wire_type = _WIRE_TYPE.get(field.kind, 0)
    write = f"put_{field.kind}"
    raw = f"*{field.py_name}" if field.kind in ("message", "enum", "map") else ""
    if field.label is Label.MAP:
        key_write, value_write = f"put_{field.map_key}", f"put_{field.map_value}"
        runtime.update((key_write, value_write, "entries", "put_bytes"))
        return Put(
            style="map",
            key=field.py_name,
            raw=raw,
            tag=_tag(field.number, 2),
            write=value_write,
            key_tag=_tag(1, _WIRE_TYPE.get(field.map_key, 0)),
            key_write=key_write,
            value_tag=_tag(2, _WIRE_TYPE.get(field.map_value, 0)),
        )
    runtime.add(write)
    if field.label is Label.REPEATED and field.packed:
        runtime.add("put_bytes")
        return Put("packed", field.py_name, raw, _tag(field.number, 2), write)
    style = "repeated" if field.label is Label.REPEATED else "single"
    test = "v is not None"
    if field.label is Label.IMPLICIT and field.kind in ("double", "float"):
        runtime.add("written")
        test = "v is not None and written(v)"
    elif field.label is Label.IMPLICIT:
        test = "v"
    return Put(style, field.py_name, raw, _tag(field.number, wire_type), write, test=test)


def modules(api: Api, naming: Naming, findings: list[Diagnostic]) -> Sequence[PyModule]:
    """The message modules to write: all files but those that another package holds, and protoc's own."""
    return [
        lay_out(f, naming, findings)
        for f in api.files
        if (f.messages or f.enums) and not naming.is_extern(f) and f.name != "google/protobuf/descriptor.proto"
    ]
