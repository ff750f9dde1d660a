"""Annotations, taken apart."""

import collections.abc
import typing
from typing import Any

LISTS: tuple[Any, ...] = (list, collections.abc.Sequence, collections.abc.MutableSequence)
DICTS: tuple[Any, ...] = (dict, collections.abc.Mapping, collections.abc.MutableMapping)
TUPLES: tuple[Any, ...] = (tuple,)
SETS: tuple[Any, ...] = (set, frozenset)
# Types that are written as text inside classes of data: by name, so that their modules need not be imported.
_TEXTUAL = {
    ("uuid", "UUID"): "uuid",
    ("decimal", "Decimal"): "decimal",
    ("pathlib", "Path"): "path",
    ("pathlib", "PurePath"): "path",
    ("pathlib", "PosixPath"): "path",
    ("pathlib", "PurePosixPath"): "path",
    ("pathlib._local", "Path"): "path",
    ("pathlib._local", "PosixPath"): "path",
}


def plain(annotation: Any) -> Any:
    """An annotation without what wraps it: `Annotated`, `NewType`, `Required` and type aliases."""
    while True:
        origin = typing.get_origin(annotation)
        if origin is typing.Annotated:
            annotation = annotation.__origin__
        elif origin in (typing.Required, typing.NotRequired):
            annotation = typing.get_args(annotation)[0]
        elif isinstance(annotation, typing.NewType):
            annotation = annotation.__supertype__
        elif type(annotation).__name__ == "TypeAliasType":
            annotation = annotation.__value__
        else:
            return annotation


def textual_format(kind: Any) -> str:
    """The JSON schema format of a type that is written as text; empty for other types."""
    if not isinstance(kind, type):
        return ""
    return _TEXTUAL.get((kind.__module__, kind.__qualname__), "")
