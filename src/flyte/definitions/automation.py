"""What makes triggers fire by themselves, and what their runs get to know of it."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal

import attrs

from flyte_rpc.arguments import instant, text, texts, whole

from .cron import check_cron

UINT32 = 2**32


class Binding(enum.Enum):
    """The types of `TriggerTime` and `TriggeredArtifact`. Copied or unpickled, they stay what they are."""

    TIME = "TriggerTime"
    ARTIFACT = "TriggeredArtifact"

    def __repr__(self) -> str:
        return f"flyte.{self.value}"


TriggerTime: Final[Literal[Binding.TIME]] = Binding.TIME
"""In `Trigger.inputs`: the moment that a run was due, as a datetime."""

TriggeredArtifact: Final[Literal[Binding.ARTIFACT]] = Binding.ARTIFACT
"""In `Trigger.inputs`: the version of an artifact that the run is started for."""


def _name(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    text(f"{type(instance).__name__}.{attribute.name}", value, 1)


@attrs.frozen
class TriggeredPartition:
    """In `Trigger.inputs`: a partition of the version of an artifact that the run is started for.

    Args:
        key: Key of the partition. The input is a datetime for the partition in time, else text.
    """

    key: str = attrs.field(validator=_name)


def _expression(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    check_cron("Cron.expression", value)


def _zone(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    import zoneinfo

    name = text("Cron.timezone", value, 1)
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        # A machine without data of time zones knows none at all, and leaves it to the server.
        known = zoneinfo.available_timezones()
        if not known:
            return
        import difflib

        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "write its IANA name, such as 'Europe/Berlin'"
        raise ValueError(f"Cron.timezone has {name!r}, which is no time zone; {hint}") from None


@attrs.frozen
class Cron:
    """Times in cron notation.

    Args:
        expression: Five fields, minute, hour, day of month, month and day of week (0 or sun for Sunday), such as
            "30 6 * * mon-fri"; or `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`, `@every 1h30m`.
        timezone: IANA name of the zone that the fields are read in. Default: "UTC". Where clocks change, a time may be left
            out or come twice.

    Raises:
        TypeError: One of them is not text.
        ValueError: The expression can't be read, or there is no such zone.
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
    """Times at equal distances.

    Args:
        interval_minutes: Minutes from one to the next, at least 1.
        start_time: The moment to count from, with a time zone. Default: when the trigger is deployed or activated.

    Raises:
        TypeError: A value of the wrong kind.
        ValueError: The distance is not positive, or the start has no time zone.
    """

    interval_minutes: int = attrs.field(validator=_minutes)
    start_time: datetime | None = attrs.field(default=None, validator=_start)


@attrs.frozen(init=False)
class OnArtifact:
    """New versions of an artifact: `OnArtifact("raw_events", region="us")`.

    Args:
        name: Name of the artifact, in the trigger's own project and domain.
        version: The only version that counts. Default: every new one.
        partitions: Only versions with these partitions count. They may also be given by keyword.

    Raises:
        TypeError: A value that is not text.
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
