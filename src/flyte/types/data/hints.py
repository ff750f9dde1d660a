"""Analysis of annotations."""

import collections.abc
import typing
from typing import Any

LISTS: tuple[Any, ...] = (list, collections.abc.Sequence, collections.abc.MutableSequence)
DICTS: tuple[Any, ...] = (dict, collections.abc.Mapping, collections.abc.MutableMapping)
TUPLES: tuple[Any, ...] = (tuple,)
SETS: tuple[Any, ...] = (set, frozenset)
# Types that are encoded as text inside data classes; by name, so that their modules need not be imported.
_TEXTUAL = {
    ("uuid", "UUID"): "uuid",
    ("decimal", "Decimal"): "decimal",
    ("pathlib", "Path"): "path",
    ("pathlib", "PurePath"): "path",
    ("pathlib", "PosixPath"): "path",
    ("pathlib", "PurePosixPath"): "path",
}


def plain(annotation: Any) -> Any:
    """Unwrap `Annotated`, `NewType`, `Required` and type aliases."""
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
        elif type(origin).__name__ == "TypeAliasType":
            annotation = origin.__value__[typing.get_args(annotation)]
        else:
            return annotation


def type_arguments(kind: Any) -> dict[Any, dict[Any, Any]]:
    """Return the values of the type variables of a generic class and its bases, by class, as names may repeat."""
    origin = typing.get_origin(kind)
    own = origin if origin is not None else kind
    known = dict(zip(getattr(own, "__parameters__", ()), typing.get_args(kind), strict=False))
    found = {own: known}
    if isinstance(own, type):
        for base in own.__dict__.get("__orig_bases__", own.__bases__):
            if typing.get_origin(base) not in (typing.Generic, typing.Protocol):
                found = {**type_arguments(substituted(base, known)), **found}
    return found


def substituted(hint: Any, known: dict[Any, Any]) -> Any:
    """Replace the type variables in an annotation."""
    if isinstance(hint, type) and typing.get_origin(hint) is None:
        # An unparametrized class keeps its type variables.
        return hint
    if isinstance(hint, typing.TypeVar):
        return known.get(hint, hint)
    parameters: tuple[Any, ...] = getattr(hint, "__parameters__", ())
    if not any(parameter in known for parameter in parameters):
        return hint
    generic: Any = hint
    return generic[tuple(known.get(parameter, parameter) for parameter in parameters)]


def textual_format(kind: Any) -> str:
    """Return the JSON schema format of a type that is encoded as text; empty for other types."""
    if not isinstance(kind, type):
        return ""
    # Some versions of Python define these classes in submodules.
    return _TEXTUAL.get((kind.__module__.partition(".")[0].lstrip("_"), kind.__qualname__), "")


def type_name(kind: Any) -> str:
    """Return a type as it is written in source code."""
    if kind is type(None):
        return "None"
    if isinstance(kind, type) and not hasattr(kind, "__origin__"):
        return kind.__name__
    return str(kind).replace("typing.", "").replace("datetime.", "").replace("NoneType", "None")
