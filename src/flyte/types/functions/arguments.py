"""Arguments for task functions: converts inputs to the annotated types of the parameters."""

import inspect
from collections.abc import Callable, Iterable
from typing import Any

from flyte.types.data.mismatch import Mismatch
from flyte.types.literals.decode import Unreadable
from flyte.types.literals.read import read_as
from flyte_api.messages.flyteidl2.task.common import NamedLiteral

from .interface import annotations_of


def arguments_of(function: Callable[..., Any], literals: Iterable[NamedLiteral]) -> dict[str, Any]:
    """Return the arguments for calling a task function.

    Args:
        function: The function. Its own defaults apply to missing inputs.
        literals: The inputs of the action. Unknown names are ignored.

    Raises:
        TypeError: A required input is missing, or a literal does not fit its annotation.
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
            raise mismatch.as_error(f"{title}: input {name}") from mismatch.__cause__
    return arguments
