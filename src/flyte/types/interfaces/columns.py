"""Flyte types of data frames: the class as their tag, and the columns of an `Annotated` frame."""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping
from typing import Any

from flyte.types.data.guards import is_dict
from flyte.types.data.hints import plain, type_name
from flyte.types.frames.libraries import class_tag, frame_library
from flyte.types.frames.reference import DataFrame
from flyte_api.messages.flyteidl2.core.types import (
    LiteralType,
    SimpleType,
    StructuredDatasetType,
    StructuredDatasetTypeDatasetColumn,
    TypeStructure,
)
from flyte_rpc.codec.message import which_one_of

_NUMPY = {
    "int": SimpleType.INTEGER,
    "uint": SimpleType.INTEGER,
    "float": SimpleType.FLOAT,
    "bool": SimpleType.BOOLEAN,
    "bool_": SimpleType.BOOLEAN,
    "datetime": SimpleType.DATETIME,
    "timedelta": SimpleType.DURATION,
    "str_": SimpleType.STRING,
    "bytes_": SimpleType.STRING,
    "object_": SimpleType.STRING,
}


def is_frame(annotation: Any) -> bool:
    """Whether an annotation is a data frame, with or without columns."""
    kind = plain(annotation)
    return kind is DataFrame or bool(frame_library(kind))


def columns_of(annotation: Any) -> dict[str, Any]:
    """Return the columns of an `Annotated` frame, types by name; those inside a column are named `column.part`."""
    metadata = _metadata(annotation)
    if not metadata:
        return {}
    # Imported late, because most tasks declare no columns, and a worker should start fast.
    from flyte.types.data.classes import data_class

    found: dict[str, Any] = {}
    for item in metadata:
        if is_dict(item):
            found |= _flat(item)
        elif isinstance(item, type) and (described := data_class(item)) is not None:
            found |= _flat({each.key: each.hint for each in described.fields})
    return found


def frame_type(annotation: Any, type_of: Callable[[Any], LiteralType]) -> LiteralType:
    """Return the Flyte type of a data frame.

    Args:
        annotation: `DataFrame`, a class of frames, or `Annotated[frame, columns]` with a dict or data class.
        type_of: Returns the types of the columns.

    Raises:
        TypeError: A column has a type that columns cannot have.
    """
    described = StructuredDatasetType(
        columns=[
            StructuredDatasetTypeDatasetColumn(name=name, literal_type=_column(name, kind, type_of))
            for name, kind in columns_of(annotation).items()
        ]
    )
    for item in _metadata(annotation):
        if isinstance(item, str):
            described.format = item
        elif type(item).__name__ == "Schema" and type(item).__module__.partition(".")[0] == "pyarrow":
            described.external_schema_type = "arrow"
            described.external_schema_bytes = item.to_string().encode()
    kind = plain(annotation)
    tag = None if kind is DataFrame else TypeStructure(tag=class_tag(kind))
    return LiteralType(structured_dataset_type=described, structure=tag)


def _metadata(annotation: Any) -> tuple[Any, ...]:
    return annotation.__metadata__ if typing.get_origin(annotation) is typing.Annotated else ()


def _flat(columns: Mapping[Any, Any], prefix: str = "") -> dict[str, Any]:
    from flyte.types.data.classes import data_class

    found: dict[str, Any] = {}
    for name, kind in columns.items():
        described = data_class(kind) if isinstance(kind, type) else None
        inner = {each.key: each.hint for each in described.fields} if described is not None else kind
        if is_dict(inner):
            found |= _flat(inner, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = inner
    return found


def _column(name: str, kind: Any, type_of: Callable[[Any], LiteralType]) -> LiteralType:
    if isinstance(kind, type) and kind.__module__ == "numpy":
        simple = _NUMPY.get(kind.__name__.rstrip("0123456789"))
        if simple is not None:
            return LiteralType(simple=simple)
    else:
        try:
            found = type_of(kind)
        except TypeError as error:
            raise TypeError(f"column {name}: {error}") from error
        if which_one_of(found, "type")[0] in ("simple", "collection_type", "map_value_type"):
            return found
    raise TypeError(
        f"column {name}: {type_name(kind)} cannot be the type of a column; use numbers, text, dates or lists"
    )
