"""Stores triggers, for DeployTrigger and DeployTask."""

from __future__ import annotations

from collections.abc import Iterable

from flyte.devbox.keys import TriggerKey
from flyte.devbox.store.rows import TriggerRow
from flyte.devbox.store.triggers import Triggers
from flyte_api.messages.flyteidl2.task.common import TriggerAutomationSpec, TriggerAutomationSpecType
from flyte_api.messages.flyteidl2.task.task_definition import TaskIdentifier, TaskTrigger, TaskTriggerSpec
from flyte_api.messages.flyteidl2.trigger.trigger_definition import TriggerRevisionAction, TriggerSpec
from flyte_rpc.serving.server import Status, abort

from . import schedule
from .cron import CronError, MissingLibraryError


def check_automation(automation: TriggerAutomationSpec | None) -> None:
    """Abort with INVALID_ARGUMENT for an invalid cron expression or time zone.

    Fixed rates are checked when they are due, like in the real backend.
    """
    try:
        schedule.check(automation)
    except CronError as error:
        abort(Status.INVALID_ARGUMENT, f"invalid cron expression: {error}")
    except MissingLibraryError as error:
        abort(Status.FAILED_PRECONDITION, str(error))


def deploy(
    triggers: Triggers,
    key: TriggerKey,
    spec: TriggerSpec,
    automation: TriggerAutomationSpec | None,
    now: int,
    *,
    replaces: int = 0,
) -> TriggerRow:
    """Store a new revision of a trigger, and bring back a deleted one.

    Args:
        triggers: The table.
        key: The trigger.
        spec: The runs that it starts.
        automation: What makes it fire by itself. Its type is corrected.
        now: The current time of triggers.
        replaces: The revision that must be the latest; 0 for any. Ignored for a new trigger.

    Raises:
        Abort: INTERNAL if another revision is the latest.
    """
    automation = automation or TriggerAutomationSpec()
    scheduled = automation.schedule is not None
    automation.type = TriggerAutomationSpecType.TYPE_SCHEDULE if scheduled else TriggerAutomationSpecType.TYPE_NONE
    current = triggers.get(key, deleted=True)
    if current is not None and replaces not in (0, current.revision):
        abort(
            Status.INTERNAL,
            f"optimistic lock failure: trigger {key} is at revision {current.revision}, not {replaces}",
        )
    flips = current is None or bool(current.active) != spec.active
    row = TriggerRow(
        *key,
        revision=1 if current is None else current.revision + 1,
        task_version=spec.task_version,
        active=int(spec.active),
        automation_type=automation.type.name or "",
        spec=bytes(spec),
        automation_spec=bytes(automation),
        deployed_at=now,
        updated_at=now if current is None or flips else current.updated_at,
        triggered_at=None if current is None else current.triggered_at,
        deleted_at=None,
        scheduled_after=now,
    )
    triggers.put(row, TriggerRevisionAction.DEPLOY)
    return row


def deploy_with_task(triggers: Triggers, task: TaskIdentifier, given: Iterable[TaskTrigger], now: int) -> None:
    """Deploy the triggers that come with a task, and delete its other triggers."""
    wanted = {trigger.name: trigger for trigger in given}
    for row in triggers.of_task(task.project, task.domain, task.name):
        if row.name not in wanted:
            triggers.delete(row, now)
    for trigger in wanted.values():
        source = trigger.spec or TaskTriggerSpec()
        spec = TriggerSpec(
            inputs=source.inputs,
            offloaded_input_data=source.offloaded_input_data,
            run_spec=source.run_spec,
            active=source.active,
            task_version=task.version,
            description=source.description,
        )
        deploy(
            triggers, TriggerKey(task.project, task.domain, task.name, trigger.name), spec, trigger.automation_spec, now
        )
