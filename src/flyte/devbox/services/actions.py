"""ActionsService: the controller inside a running action submits and watches child actions through it."""

from __future__ import annotations

from collections.abc import AsyncIterator

from flyte.devbox import bus, phases
from flyte.devbox.executor.executor import Executor
from flyte.devbox.keys import ActionKey
from flyte.devbox.runs import attempts
from flyte.devbox.runs.recording import Place, Recorder, inputs_file
from flyte.devbox.runs.requests import action_key
from flyte.devbox.shared_state import SharedState
from flyte.devbox.store.rows import ActionRow
from flyte_api.messages.flyteidl2.actions.actions_service import (
    AbortRequest,
    AbortResponse,
    Action,
    EnqueueRequest,
    EnqueueResponse,
    SignalRequest,
    SignalResponse,
    UpdateRequest,
    UpdateResponse,
    WatchForUpdatesRequest,
    WatchForUpdatesResponse,
)
from flyte_api.messages.flyteidl2.common.phase import ActionPhase
from flyte_api.messages.flyteidl2.core.execution import ExecutionError, ExecutionErrorErrorKind
from flyte_api.messages.flyteidl2.core.literals import Literal, Scalar
from flyte_api.messages.flyteidl2.core.types import LiteralType, SimpleType
from flyte_api.messages.flyteidl2.task.run import RunSpec
from flyte_api.messages.flyteidl2.workflow.run_definition import (
    ActionSpec,
    ActionType,
    ConditionAction,
    ErrorInfoKind,
)
from flyte_api.messages.flyteidl2.workflow.state_service import ActionUpdate, ControlMessage
from flyte_api.services.flyteidl2.actions.actions_service import ActionsServiceBase
from flyte_rpc.codec.message import which_one_of
from flyte_rpc.serving.server import ServerCall, Status, abort

_SIGNALS = {
    "boolean": SimpleType.BOOLEAN,
    "integer": SimpleType.INTEGER,
    "float_value": SimpleType.FLOAT,
    "string_value": SimpleType.STRING,
}
DEFAULT_REASON = "User requested abort"


class ActionsService(ActionsServiceBase):
    """Child actions of a run."""

    def __init__(self, state: SharedState, executor: Executor, recorder: Recorder) -> None:
        self._state = state
        self._store = state.store
        self._executor = executor
        self._recorder = recorder

    async def enqueue(self, request: EnqueueRequest, call: ServerCall) -> EnqueueResponse:
        """Record an action and queue it."""
        action = request.action
        if action is None:
            abort(Status.INVALID_ARGUMENT, "action is required")
        place = self._place(action, request.run_spec)
        if action.task is not None:
            key = "" if action.task.cache_key is None else action.task.cache_key.value
            if not self._recorder.task(place, action.task, execute=True, cache_key=key):
                abort(Status.INTERNAL, f"failed to enqueue action: {place.key.name} already exists")
        elif action.trace is not None:
            self._recorder.trace(place, action.trace)
        elif action.condition is not None:
            _check_condition_type(action.condition)
            self._recorder.condition(place, action.condition, execute=True)
        return EnqueueResponse()

    async def watch_for_updates(
        self, request: WatchForUpdatesRequest, call: ServerCall
    ) -> AsyncIterator[WatchForUpdatesResponse]:
        """Send the state of an action and its children, a sentinel, then changes of the children."""
        if request.parent_action_id is None:
            abort(Status.INVALID_ARGUMENT, "filter is required")
        parent = action_key(request.parent_action_id)
        with self._state.changes.subscribe(bus.updates_of(parent)) as subscription:
            own = self._store.actions.get(parent)
            for row in [*([own] if own else []), *self._store.actions.children(parent)]:
                if row.action_type != ActionType.TRACE:
                    yield WatchForUpdatesResponse(action_update=self._update(row))
            yield WatchForUpdatesResponse(control_message=ControlMessage(sentinel=True))
            while True:
                for key in await subscription.changes():
                    child = self._store.actions.get(key)
                    if child is not None and key != parent:
                        yield WatchForUpdatesResponse(action_update=self._update(child))

    async def update(self, request: UpdateRequest, call: ServerCall) -> UpdateResponse:
        """Update attempts and cache status; only the executor changes the phase."""
        if request.status is None:
            return UpdateResponse()
        row = self._store.actions.get(action_key(request.action_id))
        if row is None:
            abort(Status.INTERNAL, "failed to update action: not found")
        with self._store.database.transaction():
            self._store.actions.update_status(
                row.key, row.phase, attempts=request.status.attempts, cache_status=int(request.status.cache_status)
            )
        return UpdateResponse()

    async def abort(self, request: AbortRequest, call: ServerCall) -> AbortResponse:
        """Abort an action and its descendants."""
        key = action_key(request.action_id)
        if self._store.actions.get(key) is None:
            abort(Status.INTERNAL, f"failed to abort action: {key.name} not found")
        self._executor.abort(key, request.reason or DEFAULT_REASON)
        return AbortResponse()

    async def signal(self, request: SignalRequest, call: ServerCall) -> SignalResponse:
        """Signal a condition."""
        principal = None if request.signalled_by is None else bytes(request.signalled_by)
        self.deliver(action_key(request.action_id), request.value or Literal(), principal)
        return SignalResponse()

    def deliver(self, key: ActionKey, value: Literal, principal: bytes | None) -> None:
        """Signal a condition. Signalling the same value again has no effect.

        Raises:
            Abort: The value is not a primitive of the declared type, or the action is not a waiting condition.
        """
        given = _primitive_type(value)
        if given is None:
            abort(Status.INVALID_ARGUMENT, "value must be a primitive: bool, int, float or string")
        row = self._store.actions.get(key)
        if row is None:
            abort(Status.NOT_FOUND, f"action not found: {key.name}")
        if row.action_type != ActionType.CONDITION:
            abort(Status.FAILED_PRECONDITION, f"action {key.name} is not a condition")
        if row.signal_output is not None:
            if Literal.parse(row.signal_output) == value:
                return
            abort(Status.FAILED_PRECONDITION, f"condition {key.name} has been signalled with another value")
        if phases.is_terminal(row.phase):
            abort(Status.FAILED_PRECONDITION, f"condition {key.name} has ended: {ActionPhase(row.phase).name}")
        condition = ActionSpec.parse(row.action_spec).condition or ConditionAction()
        declared = (condition.type or LiteralType()).simple
        if declared != given:
            wanted = "nothing" if declared is None else SimpleType(declared).name
            abort(Status.INVALID_ARGUMENT, f"condition {key.name} takes {wanted}, not {given.name}")
        with self._store.database.transaction():
            self._store.actions.set_signal(key, bytes(value), principal)
            self._store.actions.update_status(key, int(ActionPhase.SUCCEEDED), attempts=1, cache_status=0)
        self._executor.signalled(key)

    def _place(self, action: Action, run_spec: RunSpec | None) -> Place:
        key = action_key(action.action_id)
        run_output_base = action.run_output_base
        if not action.parent_action_name:
            parent = None
        else:
            parent = self._store.actions.get(key.sibling(action.parent_action_name))
            if parent is None:
                abort(Status.INTERNAL, f"failed to enqueue action: parent {action.parent_action_name} not found")
            if phases.is_terminal(parent.phase):
                abort(Status.ABORTED, f"the parent action {parent.name} has ended: {ActionPhase(parent.phase).name}")
            inherited = RunSpec.parse(parent.run_spec)
            run_spec = run_spec or inherited
            run_spec.envs, run_spec.interruptible = inherited.envs, inherited.interruptible
            run_spec.labels, run_spec.annotations = inherited.labels, inherited.annotations
            run_output_base = run_output_base or ActionSpec.parse(parent.action_spec).run_output_base
        return Place(
            key=key,
            parent=None if parent is None else parent.name,
            group=action.group,
            inputs_uri=inputs_file(action.input_uri),
            run_output_base=run_output_base or self._state.blobs.run_base(key.run_key),
            run_spec=run_spec or RunSpec(),
        )

    def _update(self, row: ActionRow) -> ActionUpdate:
        update = ActionUpdate(action_id=row.key.identifier(), phase=ActionPhase(row.phase), output_uri=row.outputs_uri)
        if row.action_type == ActionType.TASK:
            base = ActionSpec.parse(row.action_spec).run_output_base
            update.output_uri = self._state.blobs.output_directory(base, row.key, max(1, row.attempts))
        if row.phase == ActionPhase.FAILED:
            update.error = self._error(row)
        if row.signal_output is not None:
            update.value = Literal.parse(row.signal_output)
        return update

    def _error(self, row: ActionRow) -> ExecutionError:
        merged = attempts.merge(self._store.events.of_action(row.key))
        info = merged[-1].error_info if merged else None
        if info is None:
            return ExecutionError(code="Unknown", message="the action failed without an error message")
        kind = {
            ErrorInfoKind.USER: ExecutionErrorErrorKind.USER,
            ErrorInfoKind.SYSTEM: ExecutionErrorErrorKind.SYSTEM,
        }.get(info.kind, ExecutionErrorErrorKind.UNKNOWN)
        return ExecutionError(code=info.code, message=info.message, kind=kind)


def _primitive_type(value: Literal) -> SimpleType | None:
    primitive = (value.scalar or Scalar()).primitive
    return None if primitive is None else _SIGNALS.get(which_one_of(primitive, "value")[0])


def _check_condition_type(condition: ConditionAction) -> None:
    declared = (condition.type or LiteralType()).simple
    if declared not in _SIGNALS.values():
        abort(Status.INVALID_ARGUMENT, "a condition's type must be a simple bool, int, float or string")
