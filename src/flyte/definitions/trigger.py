"""Definitions of triggers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import attrs

from flyte_rpc.arguments import text, texts, whole
from flyte_rpc.typeguards import is_mapping

from .automation import UINT32, Automation, Binding, Cron, FixedRate, OnArtifact, TriggeredPartition, TriggerTime
from .notifications import Notifications, check_notifications
from .validators import is_bool_of_class

if TYPE_CHECKING:
    from typing import TypedDict, Unpack

    class _Settings(TypedDict, total=False):
        """The settings of the predefined triggers."""

        name: str
        description: str
        timezone: str
        auto_activate: bool
        inputs: Mapping[str, Any] | None
        env_vars: Mapping[str, str] | None
        interruptible: bool | None
        overwrite_cache: bool
        queue: str | None
        max_action_concurrency: int | None
        labels: Mapping[str, str] | None
        annotations: Mapping[str, str] | None
        notifications: Notifications | None
        custom_context: Mapping[str, str] | None


_LONGEST = 255


@attrs.frozen
class StoredInputs:
    """Inputs that are already stored on the control plane, for `Trigger.stored_inputs`.

    Args:
        uri: Location of the inputs.
        hash: Hash of the inputs.
    """

    uri: str
    hash: str


def _automation(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if value is not None and not isinstance(value, Automation):
        raise TypeError(f"Trigger.automation takes a Cron, FixedRate or OnArtifact, not {type(value).__name__}")


def _called(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    text(f"Trigger.{attribute.name}", value, 1 if attribute.name == "name" else 0, _LONGEST)


def _word(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if value is not None:
        text(f"Trigger.{attribute.name}", value, 1)


def _copied(value: Any) -> Any:
    """Copy the mapping, so that later changes by the caller have no effect."""
    return dict(value) if is_mapping(value) else value


def _texts(instance: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    if value is not None:
        texts(f"Trigger.{attribute.name}", value)


def _inputs(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if value is None:
        return
    if not is_mapping(value):
        raise TypeError(f"Trigger.inputs takes a mapping of names to values, not {type(value).__name__}")
    for name in value:
        if not isinstance(name, str):
            raise TypeError(f"Trigger.inputs takes names of inputs, not {name!r}")


def _notified(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    check_notifications(f"Trigger.{attribute.name}", value)


def _concurrency(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if value is None:
        return
    number = whole("Trigger.max_action_concurrency", value, 0)
    if number == 1:
        raise ValueError(
            "Trigger.max_action_concurrency is 1, so a task that waits for another would wait forever; use 0 for the "
            "platform's limit, or at least 2"
        )
    if number >= UINT32:
        raise ValueError(f"Trigger.max_action_concurrency is {number}; it must be below 2**32")


@attrs.frozen
class Trigger:
    """A trigger starts runs of a task: on a schedule, for new artifacts, or when a caller names it.

    `flyte.remote.Trigger.create` deploys it for a task. You can deploy one definition for several tasks.

    Args:
        name: Name, unique within a task, at most 255 characters.
        automation: What makes it fire automatically: a `Cron`, `FixedRate` or `OnArtifact`. Default: nothing.
        description: Description, at most 255 characters.
        auto_activate: Whether deployment activates it. Default: True.
        inputs: Inputs of the runs by name; the task's defaults fill in the others. Use `TriggerTime` for the scheduled time,
            `TriggeredArtifact` and `TriggeredPartition("key")` for the new artifact version and its partitions.
        env_vars: Environment variables of the runs. They override those of the task.
        interruptible: Whether the runs may use preemptible machines. Default: the task decides.
        overwrite_cache: Whether to run tasks even if their outputs are cached, and replace those. Default: False.
        queue: Queue to run in. Default: the task's.
        max_action_concurrency: Maximum number of concurrent actions of a run, at least 2; 0 for the platform's limit. Default: 0.
        labels: Labels of the runs.
        annotations: Annotations of the runs.
        notifications: Whom to notify when a run ends: the name of a rule on the server, or notifications of `flyte.notify`.
            Default: nobody.
        custom_context: Texts for `flyte.ctx().custom_context` in the tasks of the runs.
        stored_inputs: Inputs that are already on the server, instead of values in `inputs` and of `custom_context`.
            `TriggerDetails.trigger` sets it.

    Raises:
        TypeError: A value has the wrong type.
        ValueError: A value is invalid, or two values conflict.
    """

    name: str = attrs.field(validator=_called)
    automation: Automation | None = attrs.field(default=None, validator=_automation)
    description: str = attrs.field(default="", validator=_called)
    auto_activate: bool = attrs.field(default=True, validator=is_bool_of_class)
    inputs: Mapping[str, Any] | None = attrs.field(default=None, converter=_copied, validator=_inputs, hash=False)
    env_vars: Mapping[str, str] | None = attrs.field(default=None, converter=_copied, validator=_texts, hash=False)
    interruptible: bool | None = attrs.field(default=None, validator=is_bool_of_class)
    overwrite_cache: bool = attrs.field(default=False, validator=is_bool_of_class)
    queue: str | None = attrs.field(default=None, validator=_word)
    max_action_concurrency: int | None = attrs.field(default=None, validator=_concurrency)
    labels: Mapping[str, str] | None = attrs.field(default=None, converter=_copied, validator=_texts, hash=False)
    annotations: Mapping[str, str] | None = attrs.field(default=None, converter=_copied, validator=_texts, hash=False)
    notifications: Notifications | None = attrs.field(default=None, validator=_notified, hash=False)
    custom_context: Mapping[str, str] | None = attrs.field(
        default=None, converter=_copied, validator=_texts, hash=False
    )
    stored_inputs: StoredInputs | None = attrs.field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        for binding, automations in ((Binding.TIME, Cron | FixedRate), (Binding.ARTIFACT, OnArtifact)):
            names = self.bound(binding)
            if len(names) > 1:
                raise ValueError(
                    f"Trigger.inputs binds {binding!r} to {' and '.join(names)}; only one input can have it"
                )
            if names:
                self._demand(automations, names[0], repr(binding))
        for name, partition in self.partitions().items():
            self._demand(OnArtifact, name, repr(partition))
        if self.stored_inputs is not None and (self.values() or self.custom_context):
            raise ValueError(
                "Trigger.stored_inputs excludes values in inputs and custom_context; for other ones, give all of "
                "them, and stored_inputs=None"
            )

    def _demand(self, automations: Any, name: str, shown: str) -> None:
        if not isinstance(self.automation, automations):
            automation = "OnArtifact" if automations is OnArtifact else "Cron or FixedRate"
            raise ValueError(f"Trigger.inputs binds {shown} to {name}, which requires an automation of {automation}")

    def bound(self, binding: Binding) -> list[str]:
        """Names of the inputs that are bound to `TriggerTime` or `TriggeredArtifact`."""
        return [name for name, value in (self.inputs or {}).items() if value is binding]

    def partitions(self) -> dict[str, TriggeredPartition]:
        """The inputs that receive a partition."""
        return {name: value for name, value in (self.inputs or {}).items() if isinstance(value, TriggeredPartition)}

    def values(self) -> dict[str, Any]:
        """The inputs with values that are known before a run."""
        every = (self.inputs or {}).items()
        return {name: value for name, value in every if not isinstance(value, Binding | TriggeredPartition)}

    @classmethod
    def minutely(cls, trigger_time_input_key: str | None = None, **settings: Unpack[_Settings]) -> Self:
        """A trigger for every minute.

        Args:
            trigger_time_input_key: Name of the input that receives the moment that a run was due. Default: none.
            settings: What `Trigger` takes but for `automation`, and `timezone`. Default of `name`: "minutely".
        """
        return cls._every("* * * * *", "minutely", "every minute", trigger_time_input_key, settings)

    @classmethod
    def hourly(cls, trigger_time_input_key: str | None = None, **settings: Unpack[_Settings]) -> Self:
        """A trigger for the start of every hour.

        Args:
            trigger_time_input_key: Name of the input that receives the moment that a run was due. Default: none.
            settings: What `Trigger` takes but for `automation`, and `timezone`. Default of `name`: "hourly".
        """
        return cls._every("0 * * * *", "hourly", "every hour", trigger_time_input_key, settings)

    @classmethod
    def daily(cls, trigger_time_input_key: str | None = None, **settings: Unpack[_Settings]) -> Self:
        """A trigger for every midnight.

        Args:
            trigger_time_input_key: Name of the input that receives the moment that a run was due. Default: none.
            settings: What `Trigger` takes but for `automation`, and `timezone`. Default of `name`: "daily".
        """
        return cls._every("0 0 * * *", "daily", "every day at midnight", trigger_time_input_key, settings)

    @classmethod
    def weekly(cls, trigger_time_input_key: str | None = None, **settings: Unpack[_Settings]) -> Self:
        """A trigger for midnight at the start of every Sunday.

        Args:
            trigger_time_input_key: Name of the input that receives the moment that a run was due. Default: none.
            settings: What `Trigger` takes but for `automation`, and `timezone`. Default of `name`: "weekly".
        """
        return cls._every("0 0 * * 0", "weekly", "every Sunday at midnight", trigger_time_input_key, settings)

    @classmethod
    def monthly(cls, trigger_time_input_key: str | None = None, **settings: Unpack[_Settings]) -> Self:
        """A trigger for midnight at the start of every month.

        Args:
            trigger_time_input_key: Name of the input that receives the moment that a run was due. Default: none.
            settings: What `Trigger` takes but for `automation`, and `timezone`. Default of `name`: "monthly".
        """
        return cls._every("0 0 1 * *", "monthly", "the first of every month", trigger_time_input_key, settings)

    @classmethod
    def _every(cls, expression: str, name: str, when: str, time_input: str | None, settings: _Settings) -> Self:
        rest: dict[str, Any] = {"name": name, "description": f"Fires {when}", **settings}
        inputs = {} if time_input is None else {time_input: TriggerTime}
        inputs |= rest.pop("inputs", None) or {}
        automation = Cron(expression, rest.pop("timezone", "UTC"))
        return cls(automation=automation, inputs=inputs or None, **rest)
