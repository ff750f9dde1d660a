"""The decoding and encoding steps of each field, from which templates build a message's codec.

A decoder is a chain of branches, one for each tag. Decoders of messages with many fields look the tag up in a table
instead, and have one branch for each style of field: pyright gives up on longer chains, and a lookup takes less time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import attrs

from flyte_codegen.definitions.model import Field, Label, Message

WIDE = 40
"""The number of branches of a decoder, or of steps of an encoder, that may be too many for pyright."""

_WIRE_TYPE: dict[str, int] = {
    **dict.fromkeys(("double", "fixed64", "sfixed64"), 1),
    **dict.fromkeys(("string", "bytes", "message", "map"), 2),
    **dict.fromkeys(("float", "fixed32", "sfixed32"), 5),
}
_WIDTH = {1: 8, 5: 4}
# The expression that converts the encoded value, `number` or a slice of the buffer, to the stored value.
_READ = {
    "string": "buf[at:pos].decode()",
    "bytes": "buf[at:pos]",
    "message": "buf[at:pos]",
    "map": "buf[at:pos]",
    "bool": "number != 0",
    "uint64": "number",
    "uint32": "number & 0xFFFFFFFF",
    "int32": "number if number < 1 << 31 else signed32(number)",
    "int64": "number if number < 1 << 63 else signed64(number)",
    "enum": "number if number < 1 << 31 else signed32(number)",
    "sint32": "zigzag32(number)",
    "sint64": "zigzag(number)",
    "fixed32": "unsigned(buf[at - 1 : pos])",
    "fixed64": "unsigned(buf[at - 1 : pos])",
    "sfixed32": "signed(buf[at - 1 : pos])",
    "sfixed64": "signed(buf[at - 1 : pos])",
    "double": "double(buf[at - 1 : pos])",
    "float": "float32(buf[at - 1 : pos])",
}
_UNPACKED = {
    "bool": "packed(buf[at:pos], bool)",
    "uint64": "packed(buf[at:pos])",
    "uint32": "packed(buf[at:pos], low32)",
    "int32": "packed(buf[at:pos], signed32)",
    "int64": "packed(buf[at:pos], signed64)",
    "enum": "packed(buf[at:pos], signed32)",
}


@attrs.frozen
class Branch:
    """One branch of a decoder: the statement that stores a value, in a chain of tags or of styles."""

    kind: int
    statement: str

    @property
    def width(self) -> int:
        """The size of a fixed-width value in bytes; 0 for others."""
        return _WIDTH.get(self.kind, 0)

    @property
    def behind(self) -> str:
        """The position after the value. `at` is the position after the number, or for fixed width, 1 after the tag."""
        return "at + number" if self.kind == 2 else f"at + {self.width - 1}" if self.width else "at"


@attrs.frozen
class Store(Branch):
    """The branch for one tag. `case` ensures that the last member of a oneof wins."""

    tag: int
    key: str
    case: str


@attrs.frozen
class Style(Branch):
    """The branch for all fields of one style, such as `repeated string`."""

    name: str


@attrs.frozen
class Table:
    """The decoder of a message with many fields: its rows are the key, style and oneof of each tag."""

    name: str
    rows: tuple[tuple[int, str, str, str], ...]
    styles: tuple[Style, ...]
    has_oneofs: bool


@attrs.frozen
class Put:
    """One step of an encoder: writes `tag`, then the field's value at `key` or its undecoded bytes at `raw`."""

    style: str
    key: str
    raw: str
    tag: str
    write: str
    test: str = ""
    key_tag: str = ""
    key_write: str = ""
    value_tag: str = ""


@attrs.frozen
class Codec:
    """The decoder and encoder of a message: `stores` or a `table`, and the encoder's steps, in parts if there are many."""

    cases: tuple[str, ...]
    stores: tuple[Store, ...]
    table: Table | None
    parts: tuple[tuple[Put, ...], ...]


def codec(message: Message) -> Codec:
    """Return the codec of a message."""
    entries = [(store, style, field.oneof) for field in message.fields for store, style in _stores(field)]
    puts = tuple(put(field) for field in message.fields)
    return Codec(
        cases=tuple(_case(name) for name in message.oneofs),
        stores=tuple(store for store, _, _ in entries),
        table=_table(message.py_name, entries) if len(entries) > WIDE else None,
        parts=tuple(puts[i : i + WIDE] for i in range(0, len(puts), WIDE)),
    )


def _table(name: str, entries: Sequence[tuple[Store, Style, str]]) -> Table:
    """Build the table of a message; the most frequent styles come first."""
    frequent = Counter(style for _, style, _ in entries).most_common()
    return Table(
        name=f"_{name}_fields",  # names of generated classes never start with an underscore
        rows=tuple((store.tag, store.key, style.name, oneof) for store, style, oneof in entries),
        styles=tuple(style for style, _ in frequent),
        has_oneofs=any(oneof for _, _, oneof in entries),
    )


def _case(oneof: str) -> str:
    """Return the decoder's variable for the last seen member of a oneof."""
    return f"{oneof}_case"


def wire_type(kind: str) -> int:
    """Return the wire type of a protobuf type."""
    return _WIRE_TYPE.get(kind, 0)


def _stores(field: Field) -> list[tuple[Store, Style]]:
    """Return the branches of a field, by tag and by style: its own and, if it can be packed, the packed one."""
    wire = wire_type(field.kind)
    key = ("*" if field.kind in ("message", "enum", "map") else "") + field.py_name
    which = _case(field.oneof) if field.oneof else ""
    label = "repeated " if field.label is Label.REPEATED else ""

    def pair(kind: int, packed: bool, style: str) -> tuple[Store, Style]:
        own, shared = (_statement(field, packed, name) for name in (f'"{key}"', "key"))
        return Store(kind, own, field.number << 3 | kind, key, which), Style(kind, shared, style)

    found = [pair(wire, False, label + field.kind)]
    if field.label is Label.REPEATED and wire != 2:
        found.append(pair(2, True, f"packed {field.kind}"))
    return found


def _statement(field: Field, packed: bool, key: str) -> str:
    """Return the statement that stores a value at `key`, an expression."""
    read, slot, items = _READ[field.kind], f"d[{key}]", f"d.setdefault({key}, [])"
    if packed:
        return f"{items}.extend({_unpack(field.kind)})"
    if field.label in (Label.REPEATED, Label.MAP):
        return f"{items}.append({read})"
    if field.kind == "message":
        return f"{slot} = again({slot}, {read}) if {key} in d else {read}"
    return f"{slot} = {read}"


def _unpack(kind: str) -> str:
    reader = _READ[kind].split("(")[0]
    if width := _WIDTH.get(wire_type(kind)):
        return f"packed_fixed(buf[at:pos], {width}, {reader})"
    return _UNPACKED.get(kind, f"packed(buf[at:pos], {reader})")


def put(field: Field) -> Put:
    """Return the encoder step of a field."""
    if field.label is Label.MAP:
        return Put(
            style="map",
            key=field.py_name,
            raw=f"*{field.py_name}",
            tag=_tag(field.number, 2),
            write=f"put_{field.map_value}",
            key_tag=_tag(1, wire_type(field.map_key)),
            key_write=f"put_{field.map_key}",
            value_tag=_tag(2, wire_type(field.map_value)),
        )
    raw = f"*{field.py_name}" if field.kind in ("message", "enum") else ""
    packed = field.label is Label.REPEATED and field.packed
    style = "packed" if packed else "repeated" if field.label is Label.REPEATED else "single"
    tag = _tag(field.number, 2 if packed else wire_type(field.kind))
    return Put(style, field.py_name, raw, tag, f"put_{field.kind}", test=_test(field))


def _test(field: Field) -> str:
    """Return the condition for writing the value `v` of a singular field."""
    if field.label is Label.OPTIONAL:
        return "v is not None"
    return "v is not None and written(v)" if field.kind in ("double", "float") else "v"


def _tag(number: int, kind: int) -> str:
    value, out = number << 3 | kind, bytearray()
    while value > 127:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return 'b"' + "".join(f"\\x{b:02x}" for b in out) + '"'
