"""The Flyte interface of a Python function."""

import inspect
import typing
from collections.abc import Callable
from typing import Any

from flyte.types.data.hints import plain
from flyte.types.interfaces.annotations import literal_type_of
from flyte.types.literals.encode import to_literal
from flyte_api.messages.flyteidl2.core.interface import Parameter, TypedInterface, Variable, VariableEntry, VariableMap
from flyte_api.messages.flyteidl2.core.types import LiteralType
from flyte_api.messages.flyteidl2.task.common import NamedParameter


def interface_of(function: Callable[..., Any]) -> tuple[TypedInterface, list[NamedParameter]]:
    """Return the Flyte interface of a Python function, and its defaults as literals.

    A tuple becomes the outputs `o0`, `o1` and so on, a named tuple becomes outputs with its names, any other result `o0`.

    Args:
        function: A function with annotated parameters and result; `def` or `async def`.

    Raises:
        TypeError: A parameter or the result has no annotation, or one without a Flyte type; a parameter is
            positional-only; or a default does not fit.
        ValueError: A default cannot be encoded, such as an integer beyond 64 bits.
    """
    title = getattr(function, "__qualname__", str(function))
    hints = annotations_of(function)
    inputs: list[VariableEntry] = []
    defaults: list[NamedParameter] = []
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise TypeError(f"{title}: a task cannot take *{name}; name each input")
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise TypeError(f"{title}: inputs are passed by name, but {name} is positional-only")
        if name not in hints:
            raise TypeError(f"{title}: parameter {name} has no annotation; write its type, such as {name}: int")
        variable = Variable(type=_hinted(f"{title}: parameter {name}", hints[name]))
        inputs.append(VariableEntry(key=name, value=variable))
        if parameter.default is not parameter.empty:
            literal = to_literal(parameter.default, variable_type(variable), name=f"{title}: default of {name}")
            defaults.append(NamedParameter(name=name, parameter=Parameter(var=variable, default=literal)))
    if "return" not in hints:
        raise TypeError(f"{title}: the result has no annotation; write its type, or -> None")
    outputs = [
        VariableEntry(key=name, value=Variable(type=_hinted(f"{title}: result", hint)))
        for name, hint in outputs_of(hints["return"], title).items()
    ]
    return TypedInterface(inputs=VariableMap(variables=inputs), outputs=VariableMap(variables=outputs)), defaults


def variable_type(variable: Variable) -> LiteralType:
    """Return the type of a variable; an empty type if it has none."""
    return variable.type if variable.type is not None else LiteralType()


def annotations_of(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the resolved annotations of a function, including `return`."""
    try:
        return typing.get_type_hints(inspect.unwrap(function), include_extras=True)
    except NameError as error:
        title = getattr(function, "__qualname__", str(function))
        raise TypeError(f"{title}: an annotation cannot be resolved: {error}; define it at module level") from None


def outputs_of(hint: Any, title: str = "the function") -> dict[str, Any]:
    """Return the outputs for a result annotation: annotations by name."""
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
