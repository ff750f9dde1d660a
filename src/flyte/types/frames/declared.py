"""Which declared types are of data frames and arrays."""

from __future__ import annotations

from flyte_api.messages.flyteidl2.core.types import LiteralType
from flyte_rpc.codec.message import which_one_of

from .libraries import ARRAY_FORMAT


def takes_frames(declared: LiteralType | None) -> bool:
    """Whether values of a type may be data frames or arrays, or hold them. They are uploaded when they are encoded."""
    if declared is None:
        return False
    kind, inner = which_one_of(declared, "type")
    if kind == "blob":
        return bool(inner.format == ARRAY_FORMAT)
    if kind == "simple":
        # Of the data classes with a frame as a field, and of a few others, whose values take a thread more to encode.
        return declared.metadata is not None and b"DataFrame" in bytes(declared.metadata)
    if kind == "union_type":
        return any(map(takes_frames, inner.variants))
    return kind == "structured_dataset_type" or (kind in ("collection_type", "map_value_type") and takes_frames(inner))
