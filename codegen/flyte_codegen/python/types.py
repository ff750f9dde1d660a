"""The Python types of protobuf fields."""

from __future__ import annotations

from flyte_codegen.definitions.model import Field, Label

from .type_names import TypeNames

_SCALARS = {"string": "str", "bytes": "bytes", "bool": "bool", "double": "float", "float": "float"}
_ZEROS = {"str": '""', "bytes": 'b""', "bool": "False", "float": "0.0", "int": "0"}


def scalar(kind: str) -> str:
    """Return the Python type of a scalar."""
    return _SCALARS.get(kind, "int")


def zero(kind: str) -> str:
    """Return the expression for a scalar's default."""
    return _ZEROS[scalar(kind)]


def single(field: Field, types: TypeNames) -> str:
    """Return the type of one value of the field; for maps, of one entry's value."""
    if field.type_name:
        return types.name(field.type_name)
    return scalar(field.map_value if field.label is Label.MAP else field.kind)


def whole(field: Field, types: TypeNames) -> str:
    """Return the type of the whole field."""
    one = single(field, types)
    if field.label is Label.MAP:
        return f"dict[{scalar(field.map_key)}, {one}]"
    if field.label is Label.REPEATED:
        return f"list[{one}]"
    return f"{one} | None" if field.label is Label.OPTIONAL else one
