"""What users write to have runs of a task started."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import attrs

from flyte_rpc.arguments import text, texts, whole
from flyte_rpc.typeguards import is_mapping

from .automation import UINT32, Automation, Binding, Cron, FixedRate, OnArtifact, TriggeredPartition, TriggerTime

if TYPE_CHECKING:
    from typing import TypedDict, Unpack

    class _Settings(TypedDict, total=False):
        """What the ready-made triggers leave to the caller."""

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
        notifications: str | None
        custom_context: Mapping[str, str] | None


_LONGEST = 255


@attrs.frozen
class StoredInputs:
    """Inputs that the control plane has stored before, for `Trigger.stored_inputs`.

    Args:
        uri: Where they are.
        hash: What tells them from others.
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


def _flag(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, bool) and (value is not None or attribute.default is not None):
        raise TypeError(f"Trigger.{attribute.name} takes True or False, not {type(value).__name__} ({value!r})")


def _copied(value: Any) -> Any:
    """A copy of the mapping, so that later changes by the caller have no effect."""
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


def _concurrency(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if value is None:
        return
    number = whole("Trigger.max_action_concurrency", value, 0)
    if number == 1:
        raise ValueError(
            "Trigger.max_action_concurrency is 1, so that a task that waits for another would wait for ever; it takes 0 "
            "for the platform's own limit, or at least 2"
        )
    if number >= UINT32:
        raise ValueError(f"Trigger.max_action_concurrency is {number}; it must be below 2**32")


@attrs.frozen
class Trigger:
    """A trigger starts runs of a task: on a schedule, for new artifacts, or when a caller names it.

    `flyte.remote.Trigger.create` deploys it for a task; one may be deployed for several.

    Args:
        name: Name, unique within a task, at most 255 characters.
        automation: What makes it fire by itself: a `Cron`, `FixedRate` or `OnArtifact`. Default: nothing.
        description: What it is for, at most 255 characters.
        auto_activate: Whether it is active once it is deployed. Default: True.
        inputs: Inputs of the runs by name; the task's defaults fill in for others. `TriggerTime` for the moment that a run
            was due, `TriggeredArtifact` and `TriggeredPartition("key")` for what is new.
        env_vars: Environment variables of the runs, over those of the task.
        interruptible: Whether the runs may use machines that can be taken away. Default: as the task says.
        overwrite_cache: Whether results are worked out anew, and replace cached ones. Default: False.
        queue: Queue to run in. Default: the task's.
        max_action_concurrency: Most actions of a run at a time, at least 2; 0 for the platform's limit. Default: that too.
        labels: Labels of the runs.
        annotations: Annotations of the runs.
        notifications: Name of a rule of the server that says whom to tell of the runs. Default: nobody is told.
        custom_context: Texts that the tasks of the runs find in `flyte.ctx().custom_context`.
        stored_inputs: Inputs that are on the server already, in place of values in `inputs` and of `custom_context`;
            `TriggerDetails.trigger` fills it in.

    Raises:
        TypeError: A value of the wrong kind.
        ValueError: A value that can't be, or two that do not go together.
    """

    name: str = attrs.field(validator=_called)
    automation: Automation | None = attrs.field(default=None, validator=_automation)
    description: str = attrs.field(default="", validator=_called)
    auto_activate: bool = attrs.field(default=True, validator=_flag)
    inputs: Mapping[str, Any] | None = attrs.field(default=None, converter=_copied, validator=_inputs, hash=False)
    env_vars: Mapping[str, str] | None = attrs.field(default=None, converter=_copied, validator=_texts, hash=False)
    interruptible: bool | None = attrs.field(default=None, validator=_flag)
    overwrite_cache: bool = attrs.field(default=False, validator=_flag)
    queue: str | None = attrs.field(default=None, validator=_word)
    max_action_concurrency: int | None = attrs.field(default=None, validator=_concurrency)
    labels: Mapping[str, str] | None = attrs.field(default=None, converter=_copied, validator=_texts, hash=False)
    annotations: Mapping[str, str] | None = attrs.field(default=None, converter=_copied, validator=_texts, hash=False)
    notifications: str | None = attrs.field(default=None, validator=_word)
    custom_context: Mapping[str, str] | None = attrs.field(
        default=None, converter=_copied, validator=_texts, hash=False
    )
    stored_inputs: StoredInputs | None = attrs.field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        for binding, automations in ((Binding.TIME, Cron | FixedRate), (Binding.ARTIFACT, OnArtifact)):
            names = self.bound(binding)
            if len(names) > 1:
                raise ValueError(
                    f"Trigger.inputs gives {binding!r} to {' and '.join(names)}; only one input can have it"
                )
            if names:
                self._demand(automations, names[0], repr(binding))
        for name, partition in self.partitions().items():
            self._demand(OnArtifact, name, repr(partition))
        if self.stored_inputs is not None and (self.values() or self.custom_context):
            raise ValueError(
                "Trigger.stored_inputs is in place of values in inputs and of custom_context; for other ones, give all of "
                "them, and stored_inputs=None"
            )

    def _demand(self, automations: Any, name: str, shown: str) -> None:
        if not isinstance(self.automation, automations):
            automation = "OnArtifact" if automations is OnArtifact else "Cron or FixedRate"
            raise ValueError(f"Trigger.inputs gives {shown} to {name}, which takes an automation of {automation}")

    def bound(self, binding: Binding) -> list[str]:
        """Names of the inputs that `TriggerTime`, or `TriggeredArtifact`, is given to."""
        return [name for name, value in (self.inputs or {}).items() if value is binding]

    def partitions(self) -> dict[str, TriggeredPartition]:
        """The inputs that receive a partition."""
        return {name: value for name, value in (self.inputs or {}).items() if isinstance(value, TriggeredPartition)}

    def values(self) -> dict[str, Any]:
        """The inputs whose values are known before a run."""
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
        """A trigger for the beginning of every hour.

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
        """A trigger for the midnight that every Sunday begins with.

        Args:
            trigger_time_input_key: Name of the input that receives the moment that a run was due. Default: none.
            settings: What `Trigger` takes but for `automation`, and `timezone`. Default of `name`: "weekly".
        """
        return cls._every("0 0 * * 0", "weekly", "every Sunday at midnight", trigger_time_input_key, settings)

    @classmethod
    def monthly(cls, trigger_time_input_key: str | None = None, **settings: Unpack[_Settings]) -> Self:
        """A trigger for the midnight that every month begins with.

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
