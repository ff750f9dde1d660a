"""Builds messages from stored triggers. As in the real backend, `metadata` and the outer `description` are never set."""

from __future__ import annotations

from collections.abc import Sequence

from flyte.devbox import clock
from flyte.devbox.keys import TriggerKey
from flyte.devbox.store.rows import TriggerRevisionRow, TriggerRow
from flyte_api.messages.flyteidl2.common.identifier import TriggerIdentifier
from flyte_api.messages.flyteidl2.task.common import TriggerAutomationSpec
from flyte_api.messages.flyteidl2.task.task_definition import (
    TaskTriggersSummary,
    TaskTriggersSummaryTriggerDetails,
    TaskTriggersSummaryTriggerStats,
)
from flyte_api.messages.flyteidl2.trigger.trigger_definition import (
    Trigger,
    TriggerDetails,
    TriggerRevision,
    TriggerRevisionAction,
    TriggerSpec,
    TriggerStatus,
)
from flyte_api.messages.google.protobuf.timestamp import Timestamp


def details(row: TriggerRow | TriggerRevisionRow) -> TriggerDetails:
    """Build the details of a trigger or of one of its revisions."""
    spec = TriggerSpec.parse(row.spec)
    spec.active = bool(row.active)
    automation = TriggerAutomationSpec.parse(row.automation_spec)
    return TriggerDetails(id=_identifier(row), spec=spec, status=_status(row), automation_spec=automation)


def listed(row: TriggerRow) -> Trigger:
    """Build a trigger for ListTriggers."""
    automation = TriggerAutomationSpec.parse(row.automation_spec)
    return Trigger(id=_identifier(row), status=_status(row), active=bool(row.active), automation_spec=automation)


def revision(row: TriggerRevisionRow) -> TriggerRevision:
    """Build an entry of a trigger's history."""
    created_at = max(row.deployed_at, row.updated_at, row.deleted_at or 0)
    return TriggerRevision(
        id=_identifier(row),
        status=_status(row),
        action=TriggerRevisionAction(row.action),
        created_at=clock.to_timestamp(created_at),
    )


def summary(rows: Sequence[TriggerRow]) -> TaskTriggersSummary | None:
    """Summarize the triggers of a version of a task; None if there are none."""
    if not rows:
        return None
    if len(rows) > 1:
        active = sum(bool(row.active) for row in rows)
        return TaskTriggersSummary(stats=TaskTriggersSummaryTriggerStats(total=len(rows), active=active))
    (only,) = rows
    automation = TriggerAutomationSpec.parse(only.automation_spec)
    only_details = TaskTriggersSummaryTriggerDetails(
        name=only.name, active=bool(only.active), automation_spec=automation
    )
    return TaskTriggersSummary(details=only_details)


def _identifier(row: TriggerRow | TriggerRevisionRow) -> TriggerIdentifier:
    name = TriggerKey(row.project, row.domain, row.task_name, row.name).message()
    return TriggerIdentifier(name=name, revision=row.revision)


def _status(row: TriggerRow | TriggerRevisionRow) -> TriggerStatus:
    return TriggerStatus(
        deployed_at=clock.to_timestamp(row.deployed_at),
        updated_at=clock.to_timestamp(row.updated_at),
        triggered_at=_optional(row.triggered_at),
        deleted_at=_optional(row.deleted_at),
    )


def _optional(micros: int | None) -> Timestamp | None:
    return None if micros is None else clock.to_timestamp(micros)
