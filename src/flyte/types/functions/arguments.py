"""Calling a task function: inputs as values of the very types that its parameters are annotated with."""

import inspect
from collections.abc import Callable, Iterable
from typing import Any

from flyte.types.data.mismatch import Mismatch
from flyte.types.literals.decode import Unreadable
from flyte.types.literals.read import read_as
from flyte_api.messages.flyteidl2.task.common import NamedLiteral

from .interface import annotations_of


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
            arguments[name] = read_as(literal, hint)
        except Unreadable as reason:
            raise TypeError(f"{title}: input {name} cannot be read: {reason}") from None
        except Mismatch as mismatch:
            raise mismatch.as_error(f"{title}: input {name}") from None
    return arguments
