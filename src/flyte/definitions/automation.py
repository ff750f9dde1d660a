"""The automations of triggers, and the values that they can pass to runs."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Final, Literal

import attrs

from flyte_rpc.arguments import instant, text, texts, whole

from .cron import check_cron

UINT32 = 2**32


_IN_TRIGGERS = (
    "it belongs in the inputs of a trigger, as in flyte.Trigger(..., inputs={'name': flyte.TriggerTime}), "
    "and is neither a default nor a value"
)


class Binding(enum.Enum):
    """The type of `TriggerTime` and `TriggeredArtifact`. Copies and unpickled objects are identical to the originals."""

    ADVICE_AS_INPUT = enum.nonmember(_IN_TRIGGERS)
    TIME = "TriggerTime"
    ARTIFACT = "TriggeredArtifact"

    def __repr__(self) -> str:
        return f"flyte.{self.value}"


TriggerTime: Final[Literal[Binding.TIME]] = Binding.TIME
"""In `Trigger.inputs`: the scheduled time of a run, as a datetime."""

TriggeredArtifact: Final[Literal[Binding.ARTIFACT]] = Binding.ARTIFACT
"""In `Trigger.inputs`: the artifact version that started the run."""


def _name(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    text(f"{type(instance).__name__}.{attribute.name}", value, 1)


@attrs.frozen
class TriggeredPartition:
    """In `Trigger.inputs`: a partition of the artifact version that started the run.

    Args:
        key: Key of the partition. The input is a datetime for a time partition, else text.
    """

    ADVICE_AS_INPUT: ClassVar[str] = _IN_TRIGGERS
    key: str = attrs.field(validator=_name)


def _expression(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    check_cron("Cron.expression", value)


def _zone(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    import zoneinfo

    name = text("Cron.timezone", value, 1)
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        # A machine without a time zone database leaves the check to the server.
        known = zoneinfo.available_timezones()
        if not known:
            return
        import difflib

        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "write its IANA name, such as 'Europe/Berlin'"
        raise ValueError(f"Cron.timezone has {name!r}, which is not a known time zone; {hint}") from None


@attrs.frozen
class Cron:
    """A schedule in cron notation.

    Args:
        expression: Five fields, minute, hour, day of month, month and day of week (0 or sun for Sunday), such as
            "30 6 * * mon-fri"; or `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`, `@every 1h30m`.
        timezone: IANA name of the time zone of the fields. Default: "UTC". When clocks change, a time may be skipped or
            occur twice.

    Raises:
        TypeError: An argument is not text.
        ValueError: The expression is invalid, or the time zone does not exist.
    """

    expression: str = attrs.field(validator=_expression)
    timezone: str = attrs.field(default="UTC", validator=_zone)


def _minutes(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if whole("FixedRate.interval_minutes", value, 1) >= UINT32:
        raise ValueError(f"FixedRate.interval_minutes is {value}; it must be below 2**32")


def _start(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if value is not None:
        instant("FixedRate.start_time", value)


@attrs.frozen
class FixedRate:
    """A schedule with a fixed interval.

    Args:
        interval_minutes: Minutes between runs, at least 1.
        start_time: Start of the first interval, with a time zone. Default: when the trigger is deployed or activated.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: The interval is not positive, or the start has no time zone.
    """

    interval_minutes: int = attrs.field(validator=_minutes)
    start_time: datetime | None = attrs.field(default=None, validator=_start)


@attrs.frozen(init=False)
class OnArtifact:
    """New versions of an artifact: `OnArtifact("raw_events", region="us")`.

    Args:
        name: Name of the artifact, in the trigger's own project and domain.
        version: The only version that fires the trigger. Default: every new version.
        partitions: Only versions with these partitions fire the trigger. You can also pass them as keyword arguments.

    Raises:
        TypeError: A value is not text.
        ValueError: A name or version is empty.
    """

    name: str
    version: str | None
    partitions: Mapping[str, str] | None = attrs.field(hash=False)

    def __init__(
        self,
        name: str,
        version: str | None = None,
        partitions: Mapping[str, str] | None = None,
        **more_partitions: str,
    ) -> None:
        wanted = texts("OnArtifact.partitions", {**texts("OnArtifact.partitions", partitions or {}), **more_partitions})
        self.__attrs_init__(  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
            text("OnArtifact.name", name, 1),
            None if version is None else text("OnArtifact.version", version, 1),
            wanted or None,
        )


Automation = Cron | FixedRate | OnArtifact
