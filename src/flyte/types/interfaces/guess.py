"""Convert Flyte types to Python types."""

import datetime as dt
import inspect
import re
from collections.abc import Iterable, Mapping
from typing import Any, Union

from flyte.types.converters.calls import class_by, converter_for_tag
from flyte.types.converters.transformer import TypeTransformerFailedError
from flyte.types.data.mismatch import MAX_DEPTH
from flyte.types.files.references import Dir, File
from flyte.types.frames.reference import DataFrame
from flyte_api.messages.flyteidl2.core.interface import TypedInterface, Variable, VariableMap
from flyte_api.messages.flyteidl2.core.literals import Literal
from flyte_api.messages.flyteidl2.core.types import BlobTypeBlobDimensionality, LiteralType, SimpleType
from flyte_api.messages.flyteidl2.task.common import NamedParameter
from flyte_rpc.codec.message import which_one_of

from .describe import describe
from .enums import Unguessable, enum_class
from .native import NativeInterface, has_default
from .tags import DATE_TAG, PICKLE_FORMAT, PICKLE_TAG, container_of, is_bytes, tag_of

_SIMPLE: Mapping[int, Any] = {
    SimpleType.INTEGER: int,
    SimpleType.FLOAT: float,
    SimpleType.STRING: str,
    SimpleType.BOOLEAN: bool,
    SimpleType.DATETIME: dt.datetime,
    SimpleType.DURATION: dt.timedelta,
    SimpleType.NONE: type(None),
    SimpleType.STRUCT: dict,
}
_NUMBERED = re.compile(r"o[0-9]+")


def guess_interface(typed_interface: TypedInterface, default_inputs: Iterable[NamedParameter] = ()) -> NativeInterface:
    """Return the interface of a task as Python types.

    A variable without a Python type becomes `Any`, with the reason in `NativeInterface.unsupported`. Other variables are
    not affected.

    Args:
        typed_interface: Inputs and outputs of the task.
        default_inputs: The optional inputs, from `TaskSpec.default_inputs`.
    """
    defaults: dict[str, Literal | None] = {}
    for parameter in default_inputs:
        defaults[parameter.name] = parameter.parameter.default if parameter.parameter is not None else None
    unsupported: dict[str, str] = {}
    inputs: dict[str, tuple[Any, Any]] = {}
    for name, variable in variables(typed_interface.inputs):
        guessed = _guess_or_any(f"inputs.{name}", variable, unsupported)
        inputs[name] = (guessed, has_default if name in defaults else inspect.Parameter.empty)
    outputs = {
        name: _guess_or_any(f"outputs.{name}", variable, unsupported)
        for name, variable in output_variables(typed_interface)
    }
    held = {name: literal for name, literal in defaults.items() if name in inputs and literal is not None}
    return NativeInterface(inputs, outputs, held, unsupported)


def variables(variable_map: VariableMap | None) -> list[tuple[str, LiteralType]]:
    """Return names and types of a variable map, in its order."""
    entries = variable_map.variables if variable_map is not None else []
    return [(entry.key, _type_of(entry.value)) for entry in entries]


def output_variables(typed_interface: TypedInterface) -> list[tuple[str, LiteralType]]:
    """Return names and types of the outputs, sorted by `in_order`."""
    found = dict(variables(typed_interface.outputs))
    return [(name, found[name]) for name in in_order(found)]


def in_order(names: Iterable[str]) -> list[str]:
    """Sort numbered outputs by number, because deployment may have sorted them as text. Keep the order of others."""
    found = list(names)
    return sorted(found, key=lambda name: int(name[1:])) if all(map(_NUMBERED.fullmatch, found)) else found


def _type_of(variable: Variable | None) -> LiteralType:
    return variable.type if variable is not None and variable.type is not None else LiteralType()


def _guess_or_any(place: str, literal_type: LiteralType, unsupported: dict[str, str]) -> Any:
    try:
        return guess_type(literal_type)
    except Unguessable as reason:
        unsupported[place] = str(reason)
        return Any


def guess_type(literal_type: LiteralType, *, depth: int = 0) -> Any:
    """Return the Python type of a Flyte type.

    Args:
        literal_type: The type.
        depth: The nesting depth.

    Raises:
        Unguessable: The type has no Python counterpart, for example a pickled object.
    """
    if depth > MAX_DEPTH:
        raise Unguessable(f"its type is nested more than {MAX_DEPTH} levels deep")
    if (converter := converter_for_tag(literal_type)) is not None:
        try:
            return class_by(converter, literal_type)
        except TypeTransformerFailedError as error:
            raise Unguessable(str(error)) from error
    kind, inner = which_one_of(literal_type, "type")
    match kind:
        case "simple":
            return _guess_simple(literal_type, inner)
        case "collection_type":
            return _collection(guess_type(inner, depth=depth + 1), container_of(literal_type))
        case "map_value_type":
            return dict[str, guess_type(inner, depth=depth + 1)]  # type: ignore[misc]  # A type made at run time.
        case "enum_type":
            return enum_class(tuple(inner.values))
        case "union_type" if is_bytes(literal_type):
            return bytes
        case "union_type":
            if inner.variants and all(tag_of(each) == PICKLE_TAG for each in inner.variants):
                raise Unguessable(f"{describe(literal_type)} has no plain Python form")
            if not inner.variants:
                raise Unguessable("a union of nothing has no Python form")
            return Union[tuple(guess_type(variant, depth=depth + 1) for variant in inner.variants)]  # noqa: UP007
        case "blob" if inner.format != PICKLE_FORMAT:
            return Dir if inner.dimensionality == BlobTypeBlobDimensionality.MULTIPART else File
        case "structured_dataset_type":
            return DataFrame
        case "":
            raise Unguessable("its type is not set")
        case _:
            raise Unguessable(f"{describe(literal_type)} has no plain Python form")


def _collection(item: Any, container: str) -> Any:
    match container:
        case "tuple":
            return tuple[item, ...]
        case "set":
            return set[item]
        case "frozenset":
            return frozenset[item]
        case _:
            return list[item]


def _guess_simple(literal_type: LiteralType, simple: SimpleType) -> Any:
    tag = tag_of(literal_type)
    if simple == SimpleType.DATETIME and tag == DATE_TAG:
        return dt.date
    if simple == SimpleType.STRUCT and literal_type.metadata is not None:
        # Imported late, because most clients never build classes.
        from .struct_types import struct_class

        return struct_class(literal_type)
    if simple not in _SIMPLE:
        raise Unguessable(f"{describe(literal_type)} has no plain Python form")
    return _SIMPLE[simple]
