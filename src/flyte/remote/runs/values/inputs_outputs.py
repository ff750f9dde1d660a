"""Inputs and outputs of an action as Python values."""

from __future__ import annotations

import asyncio
from collections import UserDict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, NoReturn, SupportsIndex, overload

from flyte._routing import Operation, route
from flyte_api.messages.flyteidl2.dataproxy.dataproxy_service import GetActionDataRequest, GetActionDataResponse
from flyte_api.services.flyteidl2.dataproxy.data_proxy_service import DataProxyService
from flyte_rpc.calls.call_path import unary

if TYPE_CHECKING:
    from flyte.types import NativeValues
    from flyte_api.messages.flyteidl2.common.identifier import ActionIdentifier
    from flyte_api.messages.flyteidl2.core.interface import TypedInterface, VariableMap
    from flyte_api.messages.flyteidl2.core.literals import Literal
    from flyte_api.messages.flyteidl2.task.common import Inputs, NamedLiteral, Outputs
    from flyte_api.messages.flyteidl2.workflow.run_definition import ActionDetails as DetailsMessage
    from flyte_rpc.calls.client import Client


class ActionInputs(UserDict[str, Any]):
    """The inputs of an action, by name.

    Attributes:
        pb2: The message with the values.
        data: The values as a plain dict. A value without a Python form is its raw `Literal`.
        literals: The raw `Literal` of every value, by name.
        unsupported: Why a value has no Python form, by name.
    """

    def __init__(self, pb2: Inputs, read: NativeValues) -> None:
        self.pb2 = pb2
        self.literals = _literals(pb2.literals, read)
        self.unsupported = dict(read.unsupported)
        super().__init__(read.values)

    def __missing__(self, name: object) -> NoReturn:
        raise KeyError(unknown_name("input", name, self.data))

    @property
    def named(self) -> dict[str, Any]:
        """The values as a plain dict, like `ActionOutputs.named`."""
        return self.data


class ActionOutputs(tuple[Any, ...]):
    """The outputs of an action, in order. Empty for a task without outputs.

    Attributes:
        pb2: The message with the values.
        named_outputs: The values by name: `o0`, `o1` and so on, or the names that the task defines. A value without a
            Python form is its raw `Literal`.
        literals: The raw `Literal` of every value, by name.
        unsupported: Why a value has no Python form, by name.

    An output is found by position, `outputs[0]`, and by name, `outputs["accuracy"]`. Outputs are also attributes, such as
    `outputs.accuracy`, unless a tuple or the list above has that name. All else is as in a tuple: `in` and loops go over the
    values. For loops over names, use `named`.
    """

    pb2: Outputs
    named_outputs: dict[str, Any]
    literals: dict[str, Literal]
    unsupported: dict[str, str]

    def __new__(cls, pb2: Outputs, read: NativeValues) -> ActionOutputs:
        made = super().__new__(cls, read.values.values())
        made.pb2 = pb2
        made.named_outputs = dict(read.values)
        made.literals = _literals(pb2.literals, read)
        made.unsupported = dict(read.unsupported)
        return made

    @property
    def named(self) -> dict[str, Any]:
        """The values by name: a shorter name of `named_outputs`."""
        return self.named_outputs

    @overload
    def __getitem__(self, key: SupportsIndex | str) -> Any: ...
    @overload
    def __getitem__(self, key: slice) -> tuple[Any, ...]: ...
    def __getitem__(self, key: SupportsIndex | slice | str) -> Any:
        if not isinstance(key, str):
            return super().__getitem__(key)
        if key not in self.named_outputs:
            raise KeyError(unknown_name("output", key, self.named_outputs))
        return self.named_outputs[key]

    def __getattr__(self, name: str) -> Any:
        named: dict[str, Any] = self.__dict__.get("named_outputs", {})
        if name in named:
            return named[name]
        raise AttributeError(unknown_name("output", name, named))

    def __reduce__(self) -> tuple[Any, ...]:
        from flyte.types import NativeValues

        return type(self), (self.pb2, NativeValues(self.named_outputs, self.unsupported))

    def __rich_repr__(self) -> Iterator[tuple[str, object]]:
        yield from self.named_outputs.items()

    def __repr__(self) -> str:
        return f"ActionOutputs({', '.join(f'{n}={v!r}' for n, v in self.named_outputs.items())})"


def unknown_name(kind: str, name: object, known: Collection[str]) -> str:
    """Return the message for a nonexistent input or output."""
    near = get_close_matches(str(name), known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"the {kind}s are {', '.join(known) or 'none'}"
    return f"no {kind} is named {name!r}; {hint}"


def _literals(literals: Iterable[NamedLiteral], read: NativeValues) -> dict[str, Literal]:
    """Return the literals by name, in the order of the values."""
    given = literals_by_name(literals)
    return {name: given[name] for name in read.values}


async def fetch_data(client: Client, action: ActionIdentifier) -> GetActionDataResponse:
    """Fetch the inputs and outputs of an action, from its cluster."""
    cluster = await route(client, Operation.GET_ACTION_DATA, action)
    return await unary(cluster, DataProxyService.GET_ACTION_DATA, GetActionDataRequest(action_id=action))


async def _read(
    literals: Iterable[NamedLiteral],
    declared: VariableMap | None,
    as_types: Mapping[str, Any] | None,
    allow_pickle: bool,
) -> NativeValues:
    from flyte.types import literals_to_python

    if not allow_pickle and not as_types:
        return literals_to_python(literals, declared)
    # Pickles run code, and these and frames may need a download, so they are read in a thread.
    return await asyncio.to_thread(literals_to_python, literals, declared, as_types=as_types, allow_pickle=allow_pickle)


async def read_inputs(
    data: GetActionDataResponse,
    interface: TypedInterface | None,
    as_types: Mapping[str, Any] | None,
    *,
    allow_pickle: bool,
) -> ActionInputs:
    """Read the inputs of an action. See `ActionDetails.inputs`."""
    from flyte_api.messages.flyteidl2.task.common import Inputs

    message = data.inputs or Inputs()
    declared = None if interface is None else interface.inputs
    return ActionInputs(message, await _read(message.literals, declared, as_types, allow_pickle))


async def read_outputs(
    data: GetActionDataResponse,
    interface: TypedInterface | None,
    as_types: Mapping[str, Any] | None,
    *,
    allow_pickle: bool,
) -> ActionOutputs:
    """Read the outputs of an action that succeeded. See `ActionDetails.outputs`."""
    from flyte_api.messages.flyteidl2.task.common import Outputs

    message = data.outputs or Outputs()
    declared = None if interface is None else interface.outputs
    return ActionOutputs(message, await _read(message.literals, declared, as_types, allow_pickle))


class Literals(dict[str, "Literal"]):
    """The raw inputs or outputs of an action, by name.

    Attributes:
        kind: "input" or "output", for the error of a nonexistent name.
    """

    kind = "input"

    def __missing__(self, name: object) -> NoReturn:
        raise KeyError(unknown_name(self.kind, name, self))


def literals_by_name(literals: Iterable[NamedLiteral]) -> dict[str, Literal]:
    """Return literals by name."""
    from flyte_api.messages.flyteidl2.core.literals import Literal

    return {item.name: item.value or Literal() for item in literals}


def literals_of(message: Inputs | Outputs | None, kind: str) -> Literals:
    """Return the raw inputs or outputs of an action, by name."""
    found = Literals({} if message is None else literals_by_name(message.literals))
    found.kind = kind
    return found


def interface_of(details: DetailsMessage) -> TypedInterface | None:
    """Return the interface of a task or trace; None if the action has none, or the server does not send it."""
    task, trace = details.task, details.trace
    if task is not None and task.task_template is not None:
        return task.task_template.interface
    return None if trace is None else trace.interface


async def read_typed(
    literals: Literals,
    interface: TypedInterface | None,
    types: Mapping[str, Any],
    deserializers: Mapping[Any, Callable[[Any], Any]],
) -> dict[str, Any]:
    """Read some literals as values of the caller's types. See `ActionDetails.typed_outputs`.

    Raises:
        KeyError: The task declares no input or output of a name.
        TypeError: A value does not fit its type, has no Python form, or its deserializer failed.
    """
    if interface is not None:
        variables = interface.inputs if literals.kind == "input" else interface.outputs
        declared = {entry.key for entry in ([] if variables is None else variables.variables)} | literals.keys()
        for name in types:
            if name not in declared:
                raise KeyError(unknown_name(literals.kind, name, sorted(declared)))
    # Frames may need a download, and deserializers may take long.
    return await asyncio.to_thread(_read_typed, literals, types, deserializers)


def _read_typed(
    literals: Literals, types: Mapping[str, Any], deserializers: Mapping[Any, Callable[[Any], Any]]
) -> dict[str, Any]:
    from flyte.types import TypeTransformerFailedError, from_literal, literals_to_python
    from flyte_api.messages.flyteidl2.task.common import NamedLiteral

    found: dict[str, Any] = {}
    for name, hint in types.items():
        if name not in literals:
            continue
        # Not by hash, which annotations with lists or dicts do not have.
        deserialize = next((function for kind, function in deserializers.items() if kind == hint), None)
        if deserialize is not None:
            try:
                found[name] = deserialize(from_literal(literals[name]))
            except Exception as error:
                what = f"{literals.kind} {name!r}: the deserializer of {getattr(hint, '__name__', hint)}"
                raise TypeTransformerFailedError(f"{what} failed: {type(error).__name__}: {error}") from error
            continue
        read = literals_to_python([NamedLiteral(name=name, value=literals[name])], as_types={name: hint})
        if name in read.unsupported:
            raise TypeError(f"{name}: {read.unsupported[name]}")
        found[name] = read.values[name]
    return found
