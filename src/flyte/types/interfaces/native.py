"""The interface of a task as Python types."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flyte.types.data.hints import type_name
from flyte_api.messages.flyteidl2.core.literals import Literal


class has_default:
    """Marks an input with a default on the server. Never instantiated."""


@dataclass(frozen=True)
class NativeInterface:
    """Inputs and outputs of a task, as Python types.

    Attributes:
        inputs: Type and default by name. The default is `inspect.Parameter.empty` for a required input, and `has_default`
            for an optional one.
        outputs: Type by name; `o0`, `o1` and so on are in numerical order.
        defaults: The defaults of inputs, as stored on the server.
        unsupported: Why a type is `Any`, by `inputs.<name>` or `outputs.<name>`. Such values have no Python form; read and
            pass them as a `Literal`.
    """

    inputs: Mapping[str, tuple[Any, Any]]
    outputs: Mapping[str, Any]
    defaults: Mapping[str, Literal] = field(default_factory=dict[str, Literal], repr=False)
    unsupported: Mapping[str, str] = field(default_factory=dict[str, str])

    def has_outputs(self) -> bool:
        """Whether the task has outputs."""
        return bool(self.outputs)

    def required_inputs(self) -> list[str]:
        """Names of the required inputs."""
        return [name for name, (_, default) in self.inputs.items() if default is inspect.Parameter.empty]

    def num_required_inputs(self) -> int:
        """Number of required inputs."""
        return len(self.required_inputs())

    def __str__(self) -> str:
        inputs = ", ".join(
            f"{name}: {type_name(kind)}{'' if default is inspect.Parameter.empty else ' = ...'}"
            for name, (kind, default) in self.inputs.items()
        )
        outputs = ", ".join(f"{name}: {type_name(kind)}" for name, kind in self.outputs.items())
        return f"({inputs}) -> {outputs if len(self.outputs) == 1 else f'({outputs})' if outputs else 'None'}"
