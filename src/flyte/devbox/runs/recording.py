"""Records new actions, for CreateRun, Enqueue and RecordAction."""

from __future__ import annotations

from attrs import evolve, frozen

from flyte.devbox import clock
from flyte.devbox.executor.executor import Executor
from flyte.devbox.keys import ActionKey
from flyte.devbox.store.rows import ActionRow, TriggerRow
from flyte.devbox.store.store import Store
from flyte_api.messages.flyteidl2.common.identity import EnrichedIdentity
from flyte_api.messages.flyteidl2.common.phase import ActionPhase
from flyte_api.messages.flyteidl2.core.tasks import TaskTemplate
from flyte_api.messages.flyteidl2.task.environment import Environment
from flyte_api.messages.flyteidl2.task.run import RunSpec
from flyte_api.messages.flyteidl2.task.task_definition import TaskIdentifier, TaskSpec
from flyte_api.messages.flyteidl2.workflow.run_definition import (
    ActionSpec,
    ActionType,
    ConditionAction,
    RunSource,
    TaskAction,
    TraceAction,
)

from . import messages

INPUTS = "inputs.pb"


@frozen
class Place:
    """The run and parent of an action, and the location of its files."""

    key: ActionKey
    parent: str | None
    """The parent action; None for a root action."""
    group: str
    inputs_uri: str
    run_output_base: str
    run_spec: RunSpec

    def spec(self) -> ActionSpec:
        """Build the message that is stored with the action."""
        return ActionSpec(
            action_id=self.key.identifier(),
            parent_action_name=self.parent,
            input_uri=self.inputs_uri,
            run_output_base=self.run_output_base,
            group=self.group,
        )

    def row(self, action_type: ActionType, phase: ActionPhase, spec: ActionSpec) -> ActionRow:
        """Build a row with the fields that all kinds of actions have."""
        now = clock.now()
        return ActionRow(
            *self.key,
            parent=self.parent,
            phase=int(phase),
            action_type=int(action_type),
            action_group=self.group,
            action_spec=bytes(spec),
            run_spec=bytes(self.run_spec),
            inputs_uri=self.inputs_uri,
            created_at=now,
            updated_at=now,
        )


@frozen
class Origin:
    """The origin of a run."""

    source: RunSource = RunSource.UNSPECIFIED
    subject: str | None = None
    identity: EnrichedIdentity | None = None
    trigger: TriggerRow | None = None
    """The trigger that started the run."""


def inputs_file(uri: str) -> str:
    """Return the URI of inputs.pb for an input URI, which is the file or its directory."""
    return uri if not uri or uri.endswith(f"/{INPUTS}") else f"{uri.rstrip('/')}/{INPUTS}"


class Recorder:
    """Stores actions, and queues the ones to execute."""

    def __init__(self, store: Store, executor: Executor) -> None:
        self._store = store
        self._executor = executor

    def task(
        self, place: Place, task: TaskAction, *, execute: bool, cache_key: str = "", origin: Origin | None = None
    ) -> bool:
        """Record a task action. Return False and do nothing if an action of that name exists."""
        spec = task.spec or TaskSpec()
        template = spec.task_template or TaskTemplate()
        identifier = task.id or TaskIdentifier()
        trigger = None if origin is None else origin.trigger
        stored = place.spec()
        # The task's spec is stored once, under its digest.
        stored.task = TaskAction(id=task.id, cache_key=task.cache_key, queue=task.queue)
        with self._store.database.transaction():
            row = evolve(
                place.row(ActionType.TASK, ActionPhase.QUEUED, stored),
                run_source=None if origin is None else messages.source_name(origin.source),
                created_by=None if origin is None or origin.identity is None else bytes(origin.identity),
                created_by_subject=None if origin is None else origin.subject,
                trigger_task_name=None if trigger is None else trigger.task_name,
                trigger_name=None if trigger is None else trigger.name,
                trigger_revision=None if trigger is None else trigger.revision,
                task_project=identifier.project,
                task_domain=identifier.domain,
                task_name=identifier.name,
                task_version=identifier.version,
                task_type=template.type,
                task_short_name=spec.short_name or ("" if place.parent is None else identifier.name),
                function_name=identifier.name,
                environment_name=(spec.environment or Environment()).name,
                spec_digest=self._store.tasks.put_spec(bytes(spec)),
            )
            added = self._store.actions.add(row)
            if added and execute:
                self._executor.submit(row, cache_key)
        return added

    def trace(self, place: Place, trace: TraceAction) -> bool:
        """Record a trace: a finished step that a parent action executed itself."""
        stored = place.spec()
        stored.trace = trace
        row = place.row(ActionType.TRACE, ActionPhase.SUCCEEDED, stored)
        started = row.created_at if trace.start_time is None else clock.from_timestamp(trace.start_time)
        ended = None if trace.end_time is None else clock.from_timestamp(trace.end_time)
        row = evolve(
            row,
            task_name=trace.name,
            function_name=trace.name,
            outputs_uri="" if trace.outputs is None else trace.outputs.output_uri,
            created_at=started,
            ended_at=ended,
            duration_ms=None if ended is None else round((ended - started) / 1000),
        )
        with self._store.database.transaction():
            return self._store.actions.add(row)

    def condition(self, place: Place, condition: ConditionAction, *, execute: bool) -> bool:
        """Record a condition: an action that waits for a signal."""
        stored = place.spec()
        stored.condition = condition
        row = place.row(ActionType.CONDITION, ActionPhase.QUEUED, stored)
        row = evolve(row, task_name=condition.name, function_name=condition.name)
        with self._store.database.transaction():
            added = self._store.actions.add(row)
            if added and execute:
                self._executor.submit(row, "")
        return added
