"""Python annotations as Flyte types, and the interface of a Python function."""

import datetime as dt
import enum
import inspect
import types
import typing
from collections.abc import Callable
from typing import Any

from flyte.types.data.hints import DICTS, LISTS, SETS, TUPLES, plain
from flyte.types.files.references import Dir, File, StructuredDataset
from flyte.types.literals.encode import to_literal
from flyte_api.messages.flyteidl2.core.interface import Parameter, TypedInterface, Variable, VariableEntry, VariableMap
from flyte_api.messages.flyteidl2.core.types import (
    BlobType,
    BlobTypeBlobDimensionality,
    EnumType,
    LiteralType,
    SimpleType,
    StructuredDatasetType,
    TypeAnnotation,
    TypeStructure,
    UnionType,
)
from flyte_api.messages.flyteidl2.task.common import NamedParameter
from flyte_api.messages.google.protobuf.struct import Struct

from .describe import (
    BYTES_CLASS,
    CLASS_KEY,
    DATE_TAG,
    DICT_TAG,
    DIR_TAG,
    ENUM_TAG,
    FILE_TAG,
    FRAME_TAG,
    LIST_TAG,
    MODEL_TAG,
    MSGPACK_TAG,
    PICKLE_FORMAT,
    PICKLE_TAG,
    TAGS,
    UNION_TAG,
    WRAPPER_TAGS,
    is_bytes,
    schema_of,
    tag_of,
)

_PICKLED = TypeStructure(tag=PICKLE_TAG)
_SIMPLE: dict[Any, LiteralType] = {
    int: LiteralType(simple=SimpleType.INTEGER),
    float: LiteralType(simple=SimpleType.FLOAT),
    str: LiteralType(simple=SimpleType.STRING),
    bool: LiteralType(simple=SimpleType.BOOLEAN),
    dt.datetime: LiteralType(simple=SimpleType.DATETIME),
    dt.date: LiteralType(simple=SimpleType.DATETIME, structure=TypeStructure(tag=DATE_TAG)),
    dt.timedelta: LiteralType(simple=SimpleType.DURATION),
    type(None): LiteralType(simple=SimpleType.NONE),
    # As the reference SDK describes them.
    bytes: LiteralType(
        metadata=Struct.of({CLASS_KEY: BYTES_CLASS}),
        union_type=UnionType(
            variants=[
                LiteralType(blob=BlobType(format=PICKLE_FORMAT), structure=_PICKLED),
                LiteralType(simple=SimpleType.BINARY, structure=_PICKLED),
            ]
        ),
    ),
    File: LiteralType(blob=BlobType()),
    Dir: LiteralType(blob=BlobType(dimensionality=BlobTypeBlobDimensionality.MULTIPART)),
    StructuredDataset: LiteralType(structured_dataset_type=StructuredDatasetType()),
}
# With one more than types that are read back may have, for the annotation itself.
_DEEPEST = 51
_CACHE_KEY = {"cache-key-metadata": {"serialization-format": MSGPACK_TAG}}


def literal_type_of(annotation: Any) -> LiteralType:
    """The Flyte type of an annotation.

    Args:
        annotation: `int`, `float`, `str`, `bool`, `None`, `datetime`, `date`, `timedelta`, `bytes`, an enum,
            `Literal["a", "b"]`, `list[T]`, `tuple[T, ...]`, `set[T]`, `frozenset[T]`, `dict[str, T]`, `dict` (a JSON
            object), `tuple[A, B]`, a dataclass, an attrs class, a pydantic model, a named tuple, a typed dict, `File`,
            `Dir`, `StructuredDataset`, and unions of these.

    Raises:
        TypeError: It is none of them, not resolved, or nested more than 50 levels deep.
    """
    parts, depth = [annotation], 0
    while parts:
        parts, depth = [part for each in parts for part in typing.get_args(each)], depth + 1
        if depth > _DEEPEST:
            raise TypeError(f"the type is nested more than {_DEEPEST - 1} levels deep; use a class, or dict for JSON")
    return _type_of(annotation)


def _type_of(annotation: Any) -> LiteralType:
    annotation = plain(annotation)
    if annotation is None:
        annotation = type(None)
    try:
        known = _SIMPLE.get(annotation)
    except TypeError:  # Unhashable, so none of ours.
        known = None
    if known is not None:
        return LiteralType.parse(bytes(known))
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        return LiteralType(union_type=UnionType(variants=[tagged(argument) for argument in arguments]))
    if origin is typing.Literal:
        return _choice(arguments)
    if origin in LISTS:
        return LiteralType(collection_type=_type_of(arguments[0]))
    if origin in SETS or (origin in TUPLES and arguments[1:] == (...,)):
        container = Struct.of({CLASS_KEY: origin.__name__})
        return LiteralType(collection_type=_type_of(arguments[0]), metadata=container)
    if origin in DICTS and arguments[0] is str and plain(arguments[1]) not in (Any, object):
        return LiteralType(map_value_type=_type_of(arguments[1]))
    if annotation is dict or (origin in DICTS and arguments[0] in (str, int, float)):
        return json_type()
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        if issubclass(annotation, enum.Flag):
            raise TypeError(f"{annotation.__name__} is a Flag; its combinations have no Flyte type, use an Enum")
        return LiteralType(enum_type=EnumType(values=list(annotation.__members__)))
    # Most functions take none of these, and a worker should not wait for what it does not need.
    from .schema_writer import struct_type

    found = struct_type(annotation)
    if found is None:
        raise TypeError(_complaint(annotation, origin))
    return found


def json_type(schema: dict[str, Any] | None = None, tag: str = "") -> LiteralType:
    """The Flyte type of JSON objects: of any, or of those that a schema describes."""
    return LiteralType(
        simple=SimpleType.STRUCT,
        metadata=Struct.of(schema) if schema is not None else None,
        annotation=TypeAnnotation(annotations=Struct.of(_CACHE_KEY)),
        structure=TypeStructure(tag=tag) if tag else None,
    )


def tagged(annotation: Any) -> LiteralType:
    """A variant of a union: its type, with the tag by which SDKs find the conversion of a value."""
    literal_type = _type_of(annotation)
    if tag_of(literal_type) in ("", MODEL_TAG):
        literal_type.structure = TypeStructure(tag=_tag(literal_type))
    return literal_type


def _tag(literal_type: LiteralType) -> str:
    if tag_of(literal_type) == MODEL_TAG:
        # Tuples and their like travel as models, and are told from them in unions only.
        wrapper, _, _ = str(schema_of(literal_type).get("title")).partition("Wrapper_")
        return WRAPPER_TAGS.get(wrapper, MODEL_TAG)
    if literal_type.simple is not None:
        return TAGS.get(literal_type.simple, DICT_TAG)
    if literal_type.collection_type is not None:
        return LIST_TAG
    if literal_type.map_value_type is not None:
        return DICT_TAG
    if literal_type.blob is not None:
        return DIR_TAG if literal_type.blob.dimensionality == BlobTypeBlobDimensionality.MULTIPART else FILE_TAG
    if literal_type.structured_dataset_type is not None:
        return FRAME_TAG
    if is_bytes(literal_type):
        return PICKLE_TAG
    return ENUM_TAG if literal_type.enum_type is not None else UNION_TAG


def _choice(values: tuple[Any, ...]) -> LiteralType:
    texts = [value for value in values if isinstance(value, str)]
    if len(texts) != len(values):
        raise TypeError(f"Literal{list(values)} holds more than text; only Literal of strings has a Flyte type")
    return LiteralType(enum_type=EnumType(values=texts))


def _complaint(annotation: Any, origin: Any) -> str:
    shown = annotation.__name__ if isinstance(annotation, type) and origin is None else str(annotation)
    if isinstance(annotation, str):
        return f"{annotation!r} is text, not a type; resolve it first with typing.get_type_hints"
    if annotation in LISTS:
        return f"{shown} does not say what it holds; write for example list[int]"
    if annotation in SETS or annotation in TUPLES:
        written = "tuple[int, ...]" if annotation in TUPLES else f"{shown}[int]"
        return f"{shown} does not say what it holds; write for example {written}"
    if origin in DICTS:
        return f"{shown} has keys that are not str, int or float; no other dict has a Flyte type"
    return f"{shown} has no Flyte type here; use numbers, text, dates, lists, dicts, enums, dataclasses, files, or unions of them"


def interface_of(function: Callable[..., Any]) -> tuple[TypedInterface, list[NamedParameter]]:
    """The Flyte interface of a Python function, and its defaults as literals.

    A tuple result becomes the outputs `o0`, `o1` and so on, a named tuple outputs of its names, any other result `o0`.

    Args:
        function: A function whose parameters and result are annotated; asynchronous ones too.

    Raises:
        TypeError: A parameter or the result has no annotation, or one without a Flyte type; a parameter cannot be given
            by name; a default does not fit.
        ValueError: A default fits but cannot be written, such as an integer beyond 64 bits.
    """
    title = getattr(function, "__qualname__", str(function))
    hints = annotations_of(function)
    inputs: list[VariableEntry] = []
    defaults: list[NamedParameter] = []
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise TypeError(f"{title}: a task cannot take *{name}; name each input")
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise TypeError(f"{title}: inputs are given by name, and {name} can only be given by position")
        if name not in hints:
            raise TypeError(f"{title}: parameter {name} has no annotation; write its type, such as {name}: int")
        variable = Variable(type=_hinted(f"{title}: parameter {name}", hints[name]))
        inputs.append(VariableEntry(key=name, value=variable))
        if parameter.default is not parameter.empty:
            literal = to_literal(parameter.default, variable_type(variable), name=f"{title}: default of {name}")
            defaults.append(NamedParameter(name=name, parameter=Parameter(var=variable, default=literal)))
    if "return" not in hints:
        raise TypeError(f"{title}: the result has no annotation; write its type, or -> None when there is none")
    outputs = [
        VariableEntry(key=name, value=Variable(type=_hinted(f"{title}: result", hint)))
        for name, hint in outputs_of(hints["return"], title).items()
    ]
    return TypedInterface(inputs=VariableMap(variables=inputs), outputs=VariableMap(variables=outputs)), defaults


def variable_type(variable: Variable) -> LiteralType:
    """The type of a variable; an unset one when the variable has none."""
    return variable.type if variable.type is not None else LiteralType()


def annotations_of(function: Callable[..., Any]) -> dict[str, Any]:
    """The resolved annotations of a function, `return` among them."""
    try:
        return typing.get_type_hints(inspect.unwrap(function), include_extras=True)
    except NameError as error:
        title = getattr(function, "__qualname__", str(function))
        raise TypeError(f"{title}: an annotation cannot be resolved: {error}; define it at module level") from None


def outputs_of(hint: Any, title: str = "the function") -> dict[str, Any]:
    """The outputs that a result annotation stands for: annotation by name."""
    hint = plain(hint)
    if hint is None or hint is type(None):
        return {}
    names: tuple[str, ...] = getattr(hint, "_fields", ()) if isinstance(hint, type) else ()
    if names:
        fields = typing.get_type_hints(hint, include_extras=True)
        return {name: fields.get(name, Any) for name in names}
    if typing.get_origin(hint) is tuple:
        arguments = typing.get_args(hint)
        if Ellipsis in arguments:
            return {"o0": hint}
        return {f"o{index}": argument for index, argument in enumerate(arguments)}
    return {"o0": hint}


def _hinted(place: str, hint: Any) -> LiteralType:
    try:
        return literal_type_of(hint)
    except TypeError as error:
        raise TypeError(f"{place}: {error}") from None
