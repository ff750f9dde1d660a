"""Compare field types: which have the same encoding, and which have the same Python type."""

from __future__ import annotations

from .model import Api, Field, Label

_VARINT, _ZIGZAG, _FIXED32, _FIXED64 = "varint", "zigzag", "fixed32", "fixed64"
# protobuf guarantees that types of one group can read each other's bytes; all other types read only their own.
_GROUPS = {
    **dict.fromkeys(("int32", "int64", "uint32", "uint64", "bool", "enum"), _VARINT),
    **dict.fromkeys(("sint32", "sint64"), _ZIGZAG),
    **dict.fromkeys(("fixed32", "sfixed32"), _FIXED32),
    **dict.fromkeys(("fixed64", "sfixed64"), _FIXED64),
}
_PYTHON = {"string": "str", "bytes": "bytes", "bool": "bool", "float": "float", "double": "float"}


def shown(field: Field) -> str:
    """Return the type of a field in .proto syntax."""
    single = field.type_name or field.kind
    if field.label is Label.MAP:
        return f"map<{field.map_key}, {field.type_name or field.map_value}>"
    return f"repeated {single}" if field.label is Label.REPEATED else single


def python_type(field: Field) -> str:
    """Return the Python type of a single value of the field; messages and enums by full name."""
    if field.label is Label.MAP:
        return f"{_single(field.map_key)} to {field.type_name or _single(field.map_value)}"
    return field.type_name or _single(field.kind)


def wire_compatible(old_api: Api, new_api: Api, old: Field, new: Field) -> bool:
    """Whether each side can read what the other writes, apart from the field's number."""
    return _Comparison(old_api, new_api).fields(old, new)


def _single(kind: str) -> str:
    return _PYTHON.get(kind, "int")


class _Comparison:
    """Compares sub-messages recursively. Pairs being compared count as compatible, so that the recursion ends."""

    def __init__(self, old: Api, new: Api) -> None:
        self.old, self.new = old, new
        self.seen: set[tuple[str, str]] = set()

    def fields(self, old: Field, new: Field) -> bool:
        if (old.label is Label.MAP) != (new.label is Label.MAP):
            return False
        if old.label is Label.MAP:
            return self._kinds(old.map_key, new.map_key) and self._values(old.map_value, new.map_value, old, new)
        # Repeated numbers are packed, which a reader of a singular field does not expect.
        packs = (old.label is Label.REPEATED) != (new.label is Label.REPEATED) and (old.packed or new.packed)
        return not packs and self._values(old.kind, new.kind, old, new)

    def _values(self, old_kind: str, new_kind: str, old: Field, new: Field) -> bool:
        if old_kind == new_kind == "message":
            return old.type_name == new.type_name or self._messages(old.type_name, new.type_name)
        return self._kinds(old_kind, new_kind)

    def _kinds(self, old: str, new: str) -> bool:
        """Yield whether the kinds agree. bytes can hold any string, but string can't hold all bytes."""
        return old == new or (old, new) == ("string", "bytes") or (old in _GROUPS and _GROUPS[old] == _GROUPS.get(new))

    def _messages(self, old: str, new: str) -> bool:
        if (old, new) in self.seen:
            return True
        self.seen.add((old, new))
        before, after = self.old.messages[old], self.new.messages[new]
        numbers = {field.number: field for field in after.fields}
        return len(numbers) == len(before.fields) and all(
            field.number in numbers and self.fields(field, numbers[field.number]) for field in before.fields
        )
