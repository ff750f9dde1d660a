"""Checks and encodes the inputs of tasks, and calls tasks from within tasks."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Coroutine, Mapping
from typing import TYPE_CHECKING, Any

from flyte._context import ctx
from flyte.errors import InlineIOMaxBytesBreached, NotInTaskContextError, RemoteTaskUsageError
from flyte_api.messages.flyteidl2.core.interface import TypedInterface
from flyte_api.messages.flyteidl2.core.literals import Literal
from flyte_api.messages.flyteidl2.task.common import Inputs
from flyte_api.messages.flyteidl2.task.task_definition import TaskSpec

if TYPE_CHECKING:
    from flyte.types import NativeInterface


class TakesInputs:
    """Mixin for the definition of a task: the checks of its inputs, and its calls."""

    max_inline_io_bytes: int

    if TYPE_CHECKING:

        @property
        def name(self) -> str: ...
        @property
        def spec(self) -> TaskSpec: ...
        @property
        def typed_interface(self) -> TypedInterface: ...
        @property
        def interface(self) -> NativeInterface: ...
        @property
        def required_args(self) -> tuple[str, ...]: ...

    def check_inputs(self, inputs: Mapping[str, Any], *, partial: bool = False) -> None:
        """Check the names of inputs for a call of this task.

        Args:
            inputs: The inputs by name.
            partial: Whether further inputs may follow, so that none counts as missing. Default: False.

        Raises:
            RemoteTaskUsageError: An input is missing or unknown; all of them are named.
        """
        known = self.interface.inputs
        problems: list[str] = []
        if unknown := [name for name in inputs if name not in known]:
            near = difflib.get_close_matches(unknown[0], known, n=1)
            problems.append(f"has no input {', '.join(unknown)}" + (f" (did you mean {near[0]}?)" if near else ""))
        missing = [] if partial else [name for name in self.required_args if name not in inputs]
        if missing:
            problems.append(f"needs {', '.join(missing)}")
        if problems:
            takes = ", ".join(known) or "no inputs"
            raise RemoteTaskUsageError(f"task {self.name} {' and '.join(problems)}; it takes {takes}")

    def inputs(self, values: Mapping[str, Any]) -> Inputs:
        """Deprecated: use `encode_inputs`, which this calls, with a warning."""
        warnings.warn("TaskDetails.inputs is deprecated; call encode_inputs", DeprecationWarning, stacklevel=2)
        return self.encode_inputs(values)

    def encode_inputs(self, values: Mapping[str, Any]) -> Inputs:
        """Build the inputs message of a call.

        Args:
            values: The inputs by name. Defaults fill in omitted inputs. An `Artifact` stands for its value.

        Raises:
            RemoteTaskUsageError: Inputs are missing or unknown; all of them are named.
            TypeError: An input has the wrong type.
            ValueError: An input is out of range, or the inputs exceed `max_inline_io_bytes`.
        """
        from flyte.types import inputs_to_literals

        self.check_inputs(values)
        given = {name: _literal_of(value) for name, value in values.items()}
        message = Inputs(literals=inputs_to_literals(self.typed_interface, given, self.spec.default_inputs))
        self.check_size(message)
        return message

    def check_size(self, message: Inputs) -> None:
        """Refuse inputs that exceed `max_inline_io_bytes`.

        Raises:
            InlineIOMaxBytesBreached: The inputs are too large, which is a `ValueError` too. The message names the
                largest one.
        """
        size = len(bytes(message))
        if size > self.max_inline_io_bytes:
            largest = max(message.literals, key=lambda item: len(bytes(item)))
            raise InlineIOMaxBytesBreached(
                f"the inputs of task {self.name} have {size:,} bytes, {len(bytes(largest)):,} of them {largest.name}; "
                f"the limit is {self.max_inline_io_bytes:,}. Pass less data, pass large data as a File "
                "(flyte.types.File.from_local), or raise the limit with override(max_inline_io_bytes=...)"
            )

    def positional_inputs(self, count: int) -> RemoteTaskUsageError:
        """Return the error for inputs that were given by position, which shows how to name them."""
        inputs = "".join(f", {name}=..." for name in self.interface.inputs)
        return RemoteTaskUsageError(
            f"task {self.name} takes its inputs by name only, and {count} came by position; write flyte.run(task{inputs}), "
            "or task(...) with these names in another task"
        )

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """Call the task from within another task: it runs as a child action.

        Args:
            args: Not accepted: the order of inputs is not part of a deployed task.
            kwargs: The inputs by name.

        Returns:
            The task's result: None for no outputs, a tuple for several. In async code, an awaitable of it.

        Raises:
            RemoteTaskUsageError: Inputs are positional, missing or unknown, or the code does not run in a task.
            TypeError: An input has the wrong type; nothing was submitted.
            BaseRuntimeError: The child failed, was aborted or timed out; the subclasses say which.
            RpcError: The child can't be submitted or watched.

        Calls `ActionsService.Enqueue` and `WatchForUpdates`, `DataProxyService.UploadInputs` and `GetActionData`.
        """
        from flyte.controller.controller import submit

        self._check_call(args, kwargs)
        return submit(self._deployed, kwargs)

    def aio(self, /, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, Any]:
        """Call the task from within another task: the async form of a call.

        `await task(...)` in async code is the same. This form has the type of a coroutine, and also works when the call is
        made where no event loop runs.

        Args:
            args: Not accepted: the order of inputs is not part of a deployed task.
            kwargs: The inputs by name.

        Returns:
            A coroutine with the task's result: None for no outputs, a tuple for several.

        Raises:
            RemoteTaskUsageError: Inputs are positional, missing or unknown, or the code does not run in a task.
            TypeError: An input has the wrong type; nothing was submitted.
            BaseRuntimeError: The child failed, was aborted or timed out; the subclasses say which.
            RpcError: The child can't be submitted or watched.

        Calls `ActionsService.Enqueue` and `WatchForUpdates`, `DataProxyService.UploadInputs` and `GetActionData`.
        """
        from flyte.controller.controller import submit_later

        self._check_call(args, kwargs)
        return submit_later(self._deployed, kwargs)

    def _check_call(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        if args:
            raise self.positional_inputs(len(args))
        self.check_inputs(kwargs)
        require_context(self.name)

    @property
    def _deployed(self) -> Any:
        """This object, for the controller, which needs more of it than this class declares."""
        return self


def _literal_of(value: Any) -> Any:
    """Return the literal of an artifact, and any other value unchanged. Does not import artifacts."""
    literal = getattr(value, "literal", None)
    return literal if isinstance(literal, Literal) else value


def require_context(name: str) -> None:
    """Require that the code runs in a task.

    Raises:
        NotInTaskContextError: The code does not run in a task. It is a `RemoteTaskUsageError`.
    """
    if not ctx():
        raise NotInTaskContextError(
            f"task {name} is remote: it can be called only from within another task. "
            "To start it from here, use flyte.run(task, ...)"
        )
