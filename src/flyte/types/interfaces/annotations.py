"""Convert Python annotations to Flyte types."""

import datetime as dt
import enum
import types
import typing
from typing import Any

from flyte.types.converters.calls import type_by
from flyte.types.data.custom import converter_of_hint
from flyte.types.data.hints import DICTS, LISTS, SETS, TUPLES, plain
from flyte.types.data.mismatch import MAX_DEPTH
from flyte.types.files.references import Dir, File
from flyte.types.frames.libraries import ARRAY_FORMAT, ARRAY_TAG, frame_library, is_array_class
from flyte.types.frames.reference import DataFrame
from flyte_api.messages.flyteidl2.core.types import (
    BlobType,
    BlobTypeBlobDimensionality,
    EnumType,
    LiteralType,
    SimpleType,
    TypeStructure,
    UnionType,
)
from flyte_api.messages.google.protobuf.struct import Struct

from .columns import frame_type, is_frame
from .tags import (
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
    PICKLE_FORMAT,
    PICKLE_TAG,
    TAGS,
    UNION_TAG,
    WRAPPER_TAGS,
    is_bytes,
    json_type,
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
    # Like the reference SDK.
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
}


def is_built_in(kind: type) -> bool:
    """Whether a class has a Flyte type that no converter may replace. Data classes and enums are not among them."""
    if frame_library(kind) or is_array_class(kind) or kind is DataFrame:
        return True
    return kind in _SIMPLE or kind in (*LISTS, *SETS, *TUPLES, *DICTS, object, enum.Enum)


def literal_type_of(annotation: Any) -> LiteralType:
    """Return the Flyte type of an annotation.

    Args:
        annotation: `int`, `float`, `str`, `bool`, `None`, `datetime`, `date`, `timedelta`, `bytes`, an enum,
            `Literal["a", "b"]`, `list[T]`, `tuple[T, ...]`, `set[T]`, `frozenset[T]`, `dict[str, T]`, `dict` (a JSON
            object), `tuple[A, B]`, a dataclass, an attrs class, a pydantic model, a named tuple, a typed dict, `File`,
            `Dir`, `DataFrame`, a data frame of pandas or polars, a table of pyarrow, an array of NumPy, a class with a
            converter, and unions of these.

    Raises:
        TypeError: The annotation is not supported, not resolved, or nested more than 100 levels deep.
    """
    parts, depth = [annotation], 0
    while parts:
        parts, depth = [part for each in parts for part in typing.get_args(each)], depth + 1
        if depth > MAX_DEPTH + 1:  # the annotation itself is one of them
            raise TypeError(f"the type is nested more than {MAX_DEPTH} levels deep; use a class, or dict for JSON")
    return _type_of(annotation)


def _type_of(annotation: Any) -> LiteralType:
    if is_frame(annotation):
        return frame_type(annotation, _type_of)
    annotation = plain(annotation)
    if is_array_class(annotation):
        return LiteralType(blob=BlobType(format=ARRAY_FORMAT), structure=TypeStructure(tag=ARRAY_TAG))
    if annotation is None:
        annotation = type(None)
    if (custom := converter_of_hint(annotation)) is not None:
        return type_by(*custom)
    try:
        known = _SIMPLE.get(annotation)
    except TypeError:  # Unhashable, so not in the table.
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
            raise TypeError(f"{annotation.__name__} is a Flag; its combinations have no Flyte type; use an Enum")
        return LiteralType(enum_type=EnumType(values=list(annotation.__members__)))
    # Imported late, because most functions take none of these, and a worker should start fast.
    from .schema_writer import struct_type

    found = struct_type(annotation)
    if found is None:
        raise TypeError(_complaint(annotation, origin))
    return found


def tagged(annotation: Any) -> LiteralType:
    """Return a variant of a union: its type, with the tag that SDKs use to select a conversion."""
    literal_type = _type_of(annotation)
    if (custom := converter_of_hint(plain(annotation))) is not None:
        literal_type.structure = TypeStructure(tag=custom[0].name)
        return literal_type
    if tag_of(literal_type) in ("", MODEL_TAG) or literal_type.structured_dataset_type is not None:
        literal_type.structure = TypeStructure(tag=_tag(literal_type))
    return literal_type


def _tag(literal_type: LiteralType) -> str:
    if tag_of(literal_type) == MODEL_TAG:
        # Tuples and similar types are encoded as models, and differ from them only in unions.
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
        raise TypeError(
            f"Literal{list(values)} contains values that are not strings; only a Literal of strings has a Flyte type"
        )
    return LiteralType(enum_type=EnumType(values=texts))


def _complaint(annotation: Any, origin: Any) -> str:
    shown = annotation.__name__ if isinstance(annotation, type) and origin is None else str(annotation)
    if isinstance(annotation, str):
        return f"{annotation!r} is text, not a type; resolve it first with typing.get_type_hints"
    if annotation in LISTS:
        return f"{shown} has no item type; write for example list[int]"
    if annotation in SETS or annotation in TUPLES:
        written = "tuple[int, ...]" if annotation in TUPLES else f"{shown}[int]"
        return f"{shown} has no item type; write for example {written}"
    if origin in DICTS:
        return f"{shown} has keys that are not str, int or float; no other dict has a Flyte type"
    return f"{shown} has no Flyte type here; use numbers, text, dates, lists, dicts, enums, dataclasses, files, or unions of them, or register a converter with flyte.types.TypeEngine"
