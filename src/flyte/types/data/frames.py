"""Data frames as fields of data classes: a JSON object with the URI of the stored frame, as in the official SDK."""

from __future__ import annotations

from typing import Any

from flyte.types.files.references import absolute_uri
from flyte.types.frames.errors import FrameError
from flyte.types.frames.libraries import frame_library
from flyte.types.frames.reference import DataFrame

from .guards import is_dict
from .hints import type_name
from .mismatch import Mismatch, type_of

TITLE = "DataFrame"
"""The title of the schema."""


def is_frame_class(hint: Any) -> bool:
    """Whether a class is `DataFrame` or a class of data frames."""
    return hint is DataFrame or bool(frame_library(hint))


def is_frame_value(value: Any) -> bool:
    """Whether a value is a data frame."""
    return isinstance(value, DataFrame) or bool(frame_library(type(value)))


def frame_schema() -> dict[str, Any]:
    """Return the JSON schema of a frame."""
    text = {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None}
    properties = {"uri": text, "format": {**text, "default": ""}, "hash": text}
    return {"type": "object", "title": TITLE, "properties": properties}


def is_frame_schema(schema: Any) -> bool:
    """Whether a JSON schema is that of a frame."""
    properties = schema.get("properties") if is_dict(schema) else None
    return is_dict(properties) and schema.get("title") == TITLE and {"uri", "format", "hash"} <= set(properties)


def as_frame_data(value: Any) -> dict[str, Any]:
    """Convert a frame to plain data. One in memory is stored first, which may upload it.

    Raises:
        Mismatch: It cannot be stored, or the reference has no URI.
    """
    frame = value if isinstance(value, DataFrame) else DataFrame.from_df(value)
    try:
        frame = frame.stored()
    except FrameError as error:
        raise Mismatch(str(error), fits_type=True) from error.__cause__
    if not frame.uri:
        raise Mismatch("the DataFrame has no URI", fits_type=True)
    return {"uri": absolute_uri(frame.uri), "format": frame.format, "hash": frame.hash}


def from_frame_data(data: Any, hint: Any) -> Any:
    """Convert plain data to a frame of a class; only a class other than `DataFrame` reads it.

    Raises:
        Mismatch: The data is no frame, or the frame cannot be read.
    """
    if not is_dict(data) or not isinstance(data.get("uri"), str):
        raise Mismatch.between(type_name(hint), type_of(data))
    frame = DataFrame(data["uri"], data.get("format") or "", hash=data.get("hash"))
    if hint is DataFrame:
        return frame
    try:
        return frame.read(hint)
    except (FrameError, OSError) as error:
        raise Mismatch(str(error), fits_type=True) from error
