"""Builds messages from stored actions. As in the real backend, each RPC fills in different fields."""

from __future__ import annotations

from flyte.devbox import clock
from flyte.devbox.keys import ActionKey, RunKey, TriggerKey
from flyte.devbox.store.rows import ActionRow
from flyte.devbox.store.store import Store
from flyte_api.messages.flyteidl2.common.identifier import ActionIdentifier, TriggerIdentifier
from flyte_api.messages.flyteidl2.common.identity import EnrichedIdentity
from flyte_api.messages.flyteidl2.common.phase import ActionPhase
from flyte_api.messages.flyteidl2.core.catalog import CatalogCacheStatus
from flyte_api.messages.flyteidl2.core.literals import Literal
from flyte_api.messages.flyteidl2.task.run import RunSpec
from flyte_api.messages.flyteidl2.task.task_definition import TaskIdentifier, TaskSpec
from flyte_api.messages.flyteidl2.workflow.run_definition import (
    AbortInfo,
    Action,
    ActionDetails,
    ActionMetadata,
    ActionSpec,
    ActionStatus,
    ActionType,
    ConditionActionMetadata,
    RunDetails,
    RunSource,
    SignalInfo,
    TaskActionMetadata,
    TraceActionMetadata,
)
from flyte_rpc.serving.server import Status, abort

from . import attempts

_SOURCE = "RUN_SOURCE_"


def source_name(source: RunSource) -> str:
    """Return the name of a run source in the database and in filters."""
    known = RunSource(source).name
    return f"{_SOURCE}{known}" if known else str(int(source))


def run_action(row: ActionRow) -> Action:
    """Build the root action for CreateRun and ListRuns: everything but the details."""
    return Action(id=row.key.identifier(), metadata=_metadata(row), status=_status(row))


def listed_action(row: ActionRow) -> Action:
    """Build an action for ListActions: its metadata has only parent and group."""
    metadata = ActionMetadata(parent=row.parent or "", group=row.action_group)
    return Action(id=row.key.identifier(), metadata=metadata, status=_status(row, short=True))


def watched_action(row: ActionRow) -> Action:
    """Build an action for WatchActions."""
    metadata = _metadata(row)
    metadata.action_type = ActionType.UNSPECIFIED
    metadata.executed_by = None
    if metadata.task is None:
        metadata.environment_name = ""
    elif not metadata.task.short_name:
        metadata.task.short_name = (row.function_name or "").rpartition(".")[2]
    return Action(id=row.key.identifier(), metadata=metadata, status=_status(row, short=True))


def action_details(row: ActionRow, store: Store, identifier: ActionIdentifier) -> ActionDetails:
    """Build the details of an action, with the id from the request."""
    merged = attempts.merge(store.events.of_action(row.key))
    details = ActionDetails(id=identifier, metadata=_metadata(row), status=_status(row), attempts=merged)
    spec = ActionSpec.parse(row.action_spec)
    if row.action_type == ActionType.TRACE and spec.trace is not None:
        details.trace = spec.trace.spec
    elif row.action_type == ActionType.CONDITION:
        details.condition = spec.condition
    else:
        details.task = task_spec(row, store)
    if row.phase == ActionPhase.FAILED:
        if merged and merged[-1].attempt == row.attempts and merged[-1].error_info is not None:
            details.error_info = merged[-1].error_info
    elif row.phase == ActionPhase.ABORTED:
        details.abort_info = AbortInfo(reason=row.abort_reason or "")
    elif row.signal_output is not None:
        principal = EnrichedIdentity.parse(row.signal_principal) if row.signal_principal else None
        details.signal_info = SignalInfo(signalled_by=principal, output=Literal.parse(row.signal_output))
    return details


def find_action_details(store: Store, key: ActionKey, identifier: ActionIdentifier) -> ActionDetails:
    """Return the details of an action, with the id from the request; NOT_FOUND if it does not exist."""
    row = store.actions.get(key)
    if row is None:
        abort(Status.NOT_FOUND, f"action not found: {key.name}")
    return action_details(row, store, identifier)


def find_run_details(store: Store, run: RunKey, identifier: ActionIdentifier) -> RunDetails:
    """Return the details of a run, with the id from the request; NOT_FOUND if it does not exist."""
    row = store.actions.root(run)
    if row is None:
        abort(Status.NOT_FOUND, f"run not found: {'/'.join(run)}")
    return RunDetails(run_spec=RunSpec.parse(row.run_spec), action=action_details(row, store, identifier))


def task_spec(row: ActionRow, store: Store) -> TaskSpec:
    """Return the spec of a task action."""
    data = store.tasks.spec(row.spec_digest or "")
    if data is None:
        abort(Status.UNKNOWN, f"task spec not found: {row.key}")
    return TaskSpec.parse(data)


def _metadata(row: ActionRow) -> ActionMetadata:
    metadata = ActionMetadata(
        parent=row.parent or "",
        group=row.action_group,
        action_type=ActionType(row.action_type),
        environment_name=row.environment_name or "",
        funtion_name=row.function_name or "",
        executed_by=EnrichedIdentity.parse(row.created_by) if row.created_by else None,
    )
    if row.run_source is not None:
        name = row.run_source.removeprefix(_SOURCE)
        metadata.source = RunSource(int(name)) if name.isdigit() else RunSource[name]
    if row.trigger_name is not None:
        metadata.trigger_name = row.trigger_name
        trigger = TriggerKey(row.project, row.domain, row.trigger_task_name or "", row.trigger_name)
        metadata.trigger_id = TriggerIdentifier(name=trigger.message(), revision=row.trigger_revision or 0)
    if row.action_type == ActionType.TRACE:
        metadata.trace = TraceActionMetadata(name=row.task_name or "")
    elif row.action_type == ActionType.CONDITION:
        condition = ActionSpec.parse(row.action_spec).condition
        metadata.condition = ConditionActionMetadata(
            name=row.task_name or "", type=None if condition is None else condition.type
        )
    else:
        identifier = TaskIdentifier(
            project=row.task_project or "",
            domain=row.task_domain or "",
            name=row.task_name or "",
            version=row.task_version or "",
        )
        metadata.task = TaskActionMetadata(
            id=identifier, task_type=row.task_type or "", short_name=row.task_short_name or ""
        )
    return metadata


def _status(row: ActionRow, *, short: bool = False) -> ActionStatus:
    duration = row.duration_ms
    if duration is not None and (duration < 0 or (short and not duration)):
        duration = None
    return ActionStatus(
        phase=ActionPhase(row.phase),
        start_time=clock.to_timestamp(row.created_at),
        end_time=None if row.ended_at is None else clock.to_timestamp(row.ended_at),
        attempts=row.attempts,
        cache_status=CatalogCacheStatus(row.cache_status),
        duration_ms=duration,
    )
