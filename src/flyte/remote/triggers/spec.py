"""Converts trigger definitions to messages and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flyte.definitions.automation import (
    Automation,
    Binding,
    Cron,
    FixedRate,
    OnArtifact,
    TriggeredArtifact,
    TriggeredPartition,
    TriggerTime,
)
from flyte.definitions.trigger import StoredInputs, Trigger
from flyte.remote.launch.notifications import notifications_of
from flyte.remote.launch.run_context import RunContext, pairs
from flyte.remote.tasks.details import TaskDetails
from flyte.types import inputs_to_literals, literals_to_python
from flyte.types.data.hints import type_name
from flyte_api.messages.flyteidl2.common.run import OffloadedInputData
from flyte_api.messages.flyteidl2.core.interface import TypedInterface, VariableMap
from flyte_api.messages.flyteidl2.core.types import LiteralType, SimpleType
from flyte_api.messages.flyteidl2.task.common import ArtifactTrigger, FixedRateUnit, Inputs, Schedule
from flyte_api.messages.flyteidl2.task.common import Cron as CronMessage
from flyte_api.messages.flyteidl2.task.common import FixedRate as FixedRateMessage
from flyte_api.messages.flyteidl2.task.common import TriggerAutomationSpec as AutomationSpec
from flyte_api.messages.flyteidl2.task.common import TriggerAutomationSpecType as AutomationType
from flyte_api.messages.flyteidl2.task.run import RunSpec
from flyte_api.messages.flyteidl2.trigger.trigger_definition import TriggerDetails as DetailsMessage
from flyte_api.messages.flyteidl2.trigger.trigger_definition import TriggerSpec
from flyte_api.messages.google.protobuf.timestamp import Timestamp
from flyte_rpc.codec.deprecation import quietly

_KICKOFF = "_u_kickoff_time_input_arg"
"""Context key with the name of the input that receives the scheduled time, which stored inputs cannot contain."""
_MINUTES = {FixedRateUnit.MINUTE: 1, FixedRateUnit.HOUR: 60, FixedRateUnit.DAY: 1440}
_TIME = (SimpleType.DATETIME,)
_PARTITION = (SimpleType.DATETIME, SimpleType.STRING)


def spec_of(trigger: Trigger, task: TaskDetails) -> TriggerSpec:
    """Build the spec of the runs that a trigger starts.

    Raises:
        RemoteTaskUsageError: The task has no such input, or a required input is missing.
        TypeError: An input has the wrong type.
        ValueError: An input is out of range, or the inputs together are too large for a call.
    """
    stored = trigger.stored_inputs
    # A caller may pass other inputs when starting a run of a trigger that does not fire.
    task.check_inputs(trigger.inputs or {}, partial=stored is not None or trigger.automation is None)
    _check_bindings(trigger, task)
    spec = TriggerSpec(
        run_spec=_settings(trigger),
        active=trigger.auto_activate,
        task_version=task.version,
        description=trigger.description,
    )
    if stored is not None:
        spec.offloaded_input_data = OffloadedInputData(uri=stored.uri, inputs_hash=stored.hash)
    else:
        spec.inputs = _inputs(trigger, task)
    return spec


def _settings(trigger: Trigger) -> RunSpec:
    context = RunContext(
        env_vars=trigger.env_vars,
        labels=trigger.labels,
        annotations=trigger.annotations,
        interruptible=trigger.interruptible,
        overwrite_cache=trigger.overwrite_cache,
        queue=trigger.queue,
        max_action_concurrency=trigger.max_action_concurrency,
        notifications=trigger.notifications,
    )
    return context.settings()


def _inputs(trigger: Trigger, task: TaskDetails) -> Inputs:
    values = trigger.values()
    later = (trigger.inputs or {}).keys() - values.keys()
    given = values.keys() | (set(task.default_input_args) - later)
    declared = task.typed_interface.inputs or VariableMap()
    wanted = TypedInterface(inputs=VariableMap(variables=[v for v in declared.variables if v.key in given]))
    context = dict(trigger.custom_context or {})
    for name in trigger.bound(Binding.TIME):
        context[_KICKOFF] = name
    message = Inputs(
        literals=inputs_to_literals(wanted, values, task.spec.default_inputs),
        context=pairs(context),
    )
    task.check_size(message)
    return message


def _check_bindings(trigger: Trigger, task: TaskDetails) -> None:
    """Reject bindings to inputs of the wrong type, which would otherwise fail when a run is due."""
    declared = task.typed_interface.inputs or VariableMap()
    types = {entry.key: None if entry.value is None else entry.value.type for entry in declared.variables}
    for name in trigger.bound(Binding.TIME):
        _check_type(task, name, types[name], _TIME, "flyte.TriggerTime, which is a datetime")
    for name, partition in trigger.partitions().items():
        _check_type(task, name, types[name], _PARTITION, f"{partition!r}, which is a datetime or text")


def _check_type(
    task: TaskDetails, name: str, found: LiteralType | None, simple: tuple[SimpleType, ...], what: str
) -> None:
    union = None if found is None else found.union_type
    variants = [found] if union is None else union.variants
    if not any(variant is not None and variant.simple in simple for variant in variants):
        takes = type_name(task.interface.inputs[name][0])
        raise TypeError(f"Trigger.inputs gives {name} {what}; task {task.name} takes {takes}")


def automation_of(trigger: Trigger) -> AutomationSpec:
    """Build the automation message of a trigger."""
    match trigger.automation:
        case None:
            return AutomationSpec(type=AutomationType.TYPE_NONE)
        case OnArtifact() as event:
            artifact = ArtifactTrigger(
                artifact_name=event.name,
                version=event.version or "",
                input_arg=next(iter(trigger.bound(Binding.ARTIFACT)), ""),
                partitions=dict(event.partitions or {}),
                partition_input_args={name: partition.key for name, partition in trigger.partitions().items()},
            )
            return AutomationSpec(type=AutomationType.TYPE_ARTIFACT, artifact=artifact)
        case Cron() as times:
            schedule = Schedule(cron=CronMessage(expression=times.expression, timezone=times.timezone))
        case FixedRate() as rate:
            start = None if rate.start_time is None else Timestamp.of(rate.start_time)
            schedule = Schedule(
                rate=FixedRateMessage(value=rate.interval_minutes, unit=FixedRateUnit.MINUTE, start_time=start)
            )
    schedule.kickoff_time_input_arg = next(iter(trigger.bound(Binding.TIME)), "")
    return AutomationSpec(type=AutomationType.TYPE_SCHEDULE, schedule=schedule)


def automation_text(spec: AutomationSpec | None) -> str:
    """Describe an automation in a few words. The set field decides, because servers do not set the type reliably."""
    if spec is None:
        return "unspecified"
    if spec.artifact is not None:
        artifact = spec.artifact
        version = f"@{artifact.version}" if artifact.version else ""
        receives = f" -> {artifact.input_arg}" if artifact.input_arg else ""
        return f"on artifact: {artifact.artifact_name}{version}{receives}"
    if spec.schedule is not None or spec.type == AutomationType.TYPE_SCHEDULE:
        return _schedule_text(spec.schedule or Schedule())
    if spec.type == AutomationType.TYPE_NONE:
        return "none"
    return _named(spec.type)


def _schedule_text(schedule: Schedule) -> str:
    plain = quietly(schedule, "cron_expression")
    if schedule.cron is not None:
        return f"cron: {schedule.cron.expression} ({schedule.cron.timezone or 'UTC'})"
    if plain is not None:
        return f"cron: {plain}"
    if schedule.rate is None:
        return "schedule: unset"
    rate = schedule.rate
    unit = _named(rate.unit) + ("" if rate.value == 1 else "s")
    start = "now" if rate.start_time is None else rate.start_time.to_datetime().isoformat(sep=" ")
    return f"every {rate.value} {unit} starting at {start}"


def _named(member: AutomationType | FixedRateUnit) -> str:
    """The name of an enum member in lower case; `unknown(7)` for an unknown member."""
    return (member.name or "").removeprefix("TYPE_").lower() or f"unknown({int(member)})"


def trigger_of(message: DetailsMessage) -> Trigger:
    """Convert the server's message to a trigger definition.

    Raises:
        ValueError: This release cannot express its automation.
    """
    spec = message.spec or TriggerSpec()
    run = spec.run_spec or RunSpec()
    inputs = spec.inputs or Inputs()
    stored = spec.offloaded_input_data
    automation, bindings = _automation(message)
    context = {pair.key: pair.value for pair in inputs.context if pair.key != _KICKOFF}
    cache = run.cache_config
    return Trigger(
        name=message.id.name.name if message.id is not None and message.id.name is not None else "",
        automation=automation,
        description=description_of(message),
        auto_activate=spec.active,
        inputs={**literals_to_python(inputs.literals).values, **bindings} or None,
        env_vars={pair.key: pair.value for pair in run.envs.values} if run.envs is not None else None,
        interruptible=None if run.interruptible is None else run.interruptible.value,
        overwrite_cache=bool(quietly(run, "overwrite_cache")) or (cache is not None and cache.overwrite_cache),
        queue=run.queue or None,
        max_action_concurrency=run.max_action_concurrency or None,
        labels=run.labels.values if run.labels is not None else None,
        annotations=run.annotations.values if run.annotations is not None else None,
        notifications=notifications_of(run),
        custom_context=context or None,
        stored_inputs=None if stored is None else StoredInputs(stored.uri, stored.inputs_hash),
    )


def description_of(message: DetailsMessage) -> str:
    """Return the description, which servers store in one of two places."""
    return (message.spec.description if message.spec is not None else "") or message.description or ""


def _automation(message: DetailsMessage) -> tuple[Automation | None, Mapping[str, Any]]:
    """Return the automation, and the inputs that are bound to it."""
    spec = message.automation_spec or AutomationSpec()
    if spec.artifact is not None:
        artifact = spec.artifact
        bindings: dict[str, Any] = {
            name: TriggeredPartition(key) for name, key in artifact.partition_input_args.items()
        }
        if artifact.input_arg:
            bindings[artifact.input_arg] = TriggeredArtifact
        return OnArtifact(artifact.artifact_name, artifact.version or None, artifact.partitions), bindings
    if spec.schedule is not None:
        name = spec.schedule.kickoff_time_input_arg
        return _times(spec.schedule), {name: TriggerTime} if name else {}
    if spec.type != AutomationType.TYPE_NONE:
        raise ValueError(_untold(automation_text(spec)))
    return None, {}


def _times(schedule: Schedule) -> Cron | FixedRate:
    plain = quietly(schedule, "cron_expression")
    if schedule.cron is not None:
        return Cron(schedule.cron.expression, schedule.cron.timezone or "UTC")
    if plain is not None:
        return Cron(plain)
    rate = schedule.rate
    if rate is None or rate.unit not in _MINUTES:
        raise ValueError(_untold(_schedule_text(schedule)))
    start = None if rate.start_time is None else rate.start_time.to_datetime()
    return FixedRate(rate.value * _MINUTES[rate.unit], start)


def _untold(what: str) -> str:
    return f"this release of flyte.Trigger cannot express the trigger's automation ({what}); see automation_spec"
