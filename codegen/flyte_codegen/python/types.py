"""The Python types of protobuf fields."""

from __future__ import annotations

from flyte_codegen.definitions.model import Field, Label

from .type_names import TypeNames

_SCALARS = {"string": "str", "bytes": "bytes", "bool": "bool", "double": "float", "float": "float"}
_ZEROS = {"str": '""', "bytes": 'b""', "bool": "False", "float": "0.0", "int": "0"}


def scalar(kind: str) -> str:
    """The Python type of a scalar."""
    return _SCALARS.get(kind, "int")


def zero(kind: str) -> str:
    """The expression of a scalar's default."""
    return _ZEROS[scalar(kind)]


def single(field: Field, types: TypeNames) -> str:
    """The type of one value of the field; of a map, of the value of one entry."""
    if field.type_name:
        return types.name(field.type_name)
    return scalar(field.map_value if field.label is Label.MAP else field.kind)


def whole(field: Field, types: TypeNames) -> str:
    """The type of the field."""
    one = single(field, types)
    if field.label is Label.MAP:
        return f"dict[{scalar(field.map_key)}, {one}]"
    if field.label is Label.REPEATED:
        return f"list[{one}]"
    return f"{one} | None" if field.label is Label.OPTIONAL else one
