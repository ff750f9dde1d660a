"""Conversion of all inputs or outputs at once, for clients and workers."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from flyte.types.data.guards import is_tuple
from flyte.types.data.mismatch import Mismatch
from flyte.types.interfaces.guess import in_order, output_variables, variables
from flyte_api.messages.flyteidl2.core.interface import TypedInterface, VariableMap
from flyte_api.messages.flyteidl2.core.literals import Literal
from flyte_api.messages.flyteidl2.core.types import LiteralType
from flyte_api.messages.flyteidl2.task.common import NamedLiteral, NamedParameter

from .decode import Unreadable, decode
from .encode import to_literal
from .read import read_as


@dataclass(frozen=True)
class NativeValues:
    """Inputs or outputs as Python values.

    Attributes:
        values: Value by name; numbered outputs are in numerical order. A value without a Python form is its `Literal`.
        unsupported: Why a value is a `Literal`, by name.
    """

    values: Mapping[str, Any]
    unsupported: Mapping[str, str]


def inputs_to_literals(
    typed_interface: TypedInterface, values: Mapping[str, Any], defaults: Iterable[NamedParameter] = ()
) -> list[NamedLiteral]:
    """Convert the inputs of a call to literals, in the order of the interface.

    Args:
        typed_interface: The interface of the task.
        values: Values by name.
        defaults: The optional inputs. Their literals fill in missing inputs.

    Raises:
        TypeError: An input is missing or unknown, or a value has another type than its input.
        ValueError: A value has the right type but cannot be encoded, such as an integer beyond 64 bits.
    """
    declared = dict(variables(typed_interface.inputs))
    unknown = [name for name in values if name not in declared]
    if unknown:
        close = difflib.get_close_matches(unknown[0], declared, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"the inputs are {', '.join(declared) or 'none'}"
        raise TypeError(f"the task has no input {unknown[0]!r}; {hint}")
    held = {item.name: item.parameter.default for item in defaults if item.parameter is not None}
    missing = [name for name in declared if name not in values and name not in held]
    if missing:
        raise TypeError(f"missing input{'s' if len(missing) > 1 else ''}: {', '.join(missing)}")
    found: list[NamedLiteral] = []
    for name, literal_type in declared.items():
        literal = to_literal(values[name], literal_type, name=name) if name in values else held[name]
        # The server fills in defaults that it does not send to clients.
        if literal is not None:
            found.append(NamedLiteral(name=name, value=literal))
    return found


def literals_to_python(
    literals: Iterable[NamedLiteral],
    variable_map: VariableMap | None = None,
    *,
    as_types: Mapping[str, Any] | None = None,
    allow_pickle: bool = False,
) -> NativeValues:
    """Convert inputs or outputs to Python values. An unreadable value does not affect the others.

    Args:
        literals: The values.
        variable_map: Their declared types. Default: derived from the literals.
        as_types: Annotations by name, to read values as the caller's own classes, such as a dataclass with the same fields
            as the task's.
        allow_pickle: Load pickled objects. Loading a pickle runs the code inside it.

    Raises:
        TypeError: `as_types` names a nonexistent value, or a value does not fit the given type.
    """
    declared = dict(variables(variable_map))
    given = {item.name: item.value if item.value is not None else Literal() for item in literals}
    wanted = as_types or {}
    absent = [name for name in wanted if name not in given]
    if absent:
        raise TypeError(f"as_types: no value is named {absent[0]!r}; the values are {', '.join(given) or 'none'}")
    values: dict[str, Any] = {}
    unsupported: dict[str, str] = {}
    for name in in_order(
        [*(name for name in declared if name in given), *(name for name in given if name not in declared)]
    ):
        try:
            if name in wanted:
                values[name] = read_as(given[name], wanted[name], allow_pickle=allow_pickle)
            else:
                values[name] = decode(given[name], declared.get(name), allow_pickle=allow_pickle)
        except Mismatch as mismatch:
            raise mismatch.as_error(name) from mismatch.__cause__
        except Unreadable as reason:
            values[name] = given[name]
            unsupported[name] = str(reason)
    return NativeValues(values, unsupported)


def result_to_literals(typed_interface: TypedInterface, result: Any) -> list[NamedLiteral]:
    """Convert the result of a task function to outputs.

    Args:
        typed_interface: The interface of the task.
        result: What the function returned: None for no outputs, the value for one, a tuple for several.

    Raises:
        TypeError: The result does not fit the outputs.
        ValueError: A value has the right type but cannot be encoded.
    """
    declared = output_variables(typed_interface)
    if not declared:
        if result is not None:
            raise TypeError(f"the task declares no outputs, but returned {type(result).__name__}")
        return []
    parts: tuple[Any, ...] = result if is_tuple(result) and not _is_one_output(result, declared) else (result,)
    if len(parts) != len(declared):
        given = f"a tuple of {len(parts)}" if isinstance(result, tuple) else type(result).__name__
        raise TypeError(f"the task declares {len(declared)} outputs, but returned {given}")
    return [
        NamedLiteral(name=name, value=to_literal(part, literal_type, name=f"output {name}"))
        for (name, literal_type), part in zip(declared, parts, strict=True)
    ]


def _is_one_output(result: tuple[Any, ...], declared: list[tuple[str, LiteralType]]) -> bool:
    """Whether a tuple is the value of a single output, such as `tuple[int, str] | None`, rather than all outputs."""
    if len(declared) != 1:
        return False
    try:
        to_literal(result, declared[0][1], name=declared[0][0])
    except (TypeError, ValueError):
        return len(result) != 1
    return True
