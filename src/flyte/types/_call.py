"""Calling a task function: inputs as values of the very types that its parameters are annotated with."""

import collections.abc
import enum
import inspect
import types
import typing
from collections.abc import Callable, Iterable
from typing import Any

from flyte_api.messages.flyteidl2.task.common import NamedLiteral

from ._annotations import annotations_of, literal_type_of, plain
from ._decode import Unreadable, decode
from ._guards import is_dict, is_list
from ._interface import type_name

_LISTS = (list, collections.abc.Sequence, collections.abc.MutableSequence)
_DICTS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)


class _Misfit(Exception):
    """A value that is not of the annotated type."""


def arguments_of(function: Callable[..., Any], literals: Iterable[NamedLiteral]) -> dict[str, Any]:
    """The arguments to call a task function with.

    Args:
        function: The function; its own defaults apply to inputs that are not among the literals.
        literals: The inputs of the action. Names that the function does not take are passed over.

    Raises:
        TypeError: A required input is missing, or a literal has no Python form of the annotated type.
    """
    title = getattr(function, "__qualname__", str(function))
    hints = annotations_of(function)
    given = {item.name: item.value for item in literals}
    arguments: dict[str, Any] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        literal = given.get(name)
        if literal is None:
            if parameter.default is parameter.empty:
                raise TypeError(f"{title}: input {name} is missing")
            continue
        if name not in hints:
            raise TypeError(f"{title}: parameter {name} has no annotation; write its type, such as {name}: int")
        hint = hints[name]
        try:
            arguments[name] = _as_annotated(decode(literal, literal_type_of(hint)), hint)
        except Unreadable as reason:
            raise TypeError(f"{title}: input {name} cannot be read: {reason}") from None
        except _Misfit as misfit:
            raise TypeError(f"{title}: input {name} is {misfit}, expected {type_name(hint)}") from None
    return arguments


def _as_annotated(value: Any, hint: Any) -> Any:
    hint = plain(hint)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint in (Any, object):
        return value
    if origin in (typing.Union, types.UnionType):
        return _first_fit(value, arguments)
    if origin is typing.Literal:
        text = value.value if isinstance(value, enum.Enum) else value
        if text in arguments:
            return text
    elif origin in _LISTS and is_list(value):
        return [_as_annotated(item, arguments[0]) for item in value]
    elif origin in _DICTS and is_dict(value):
        return {key: _as_annotated(item, arguments[1]) for key, item in value.items()}
    elif isinstance(hint, type) and issubclass(hint, enum.Enum):
        if isinstance(value, enum.Enum) and value.value in hint.__members__:
            return hint[value.value]
    elif _is_exactly(value, hint):
        return value
    raise _Misfit(type_name(type(value)))


def _first_fit(value: Any, hints: tuple[Any, ...]) -> Any:
    for hint in hints:
        try:
            return _as_annotated(value, hint)
        except _Misfit:
            continue
    raise _Misfit(type_name(type(value)))


def _is_exactly(value: Any, hint: Any) -> bool:
    """Whether a decoded value is of a plain type: not a subclass, as `bool` is of `int` and `datetime` of `date`."""
    if hint is None or hint is type(None):
        return value is None
    if typing.is_typeddict(hint):
        return isinstance(value, dict)
    return type(value) is hint
