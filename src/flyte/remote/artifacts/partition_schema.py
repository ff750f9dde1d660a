"""The partition keys of artifacts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import attrs

from flyte_api.messages.flyteidl2.artifact.artifact import ArtifactPartitionSchema, TimePartitionKey
from flyte_rpc.arguments import text
from flyte_rpc.typeguards import is_mapping

from .partitions import LONGEST_KEY, granularity_message, granularity_name

_MOST_KEYS = 16
_TIMES: dict[Any, str] = {
    date: "day",
    datetime: "hour",
    "hour": "hour",
    "day": "day",
    "week": "week",
    "month": "month",
}
_TEXTS = (str, int, "str", "int")


@attrs.frozen
class PartitionSchema:
    """The partition keys of an artifact.

    Attributes:
        time_key: The time key; None if there is none.
        granularity: The length of its spans: "hour", "day", "week", "month", or `unknown(42)` for a newer server's;
            None without a time key.
        keys: The text keys.
        declared: Whether the keys were declared. Otherwise the first version defined them.
    """

    time_key: str | None = None
    granularity: str | None = None
    keys: tuple[str, ...] = ()
    declared: bool = False

    @property
    def all_keys(self) -> tuple[str, ...]:
        """All keys, the time first."""
        return (*([] if self.time_key is None else [self.time_key]), *self.keys)


def schema_of(message: ArtifactPartitionSchema | None, *, declared: bool = False) -> PartitionSchema:
    """Convert the server's message."""
    found = message or ArtifactPartitionSchema()
    key = found.time_partition
    return PartitionSchema(
        None if key is None else key.key,
        None if key is None else granularity_name(key.granularity),
        tuple(found.partition_keys),
        declared,
    )


def declaration(partitions: Mapping[str, object]) -> ArtifactPartitionSchema:
    """Build the message that declares partition keys; see `Artifact.declare`.

    Raises:
        TypeError: `partitions` is not a mapping, or a key is not text.
        ValueError: A key is empty or too long, its kind is unknown, or there are too many keys.
    """
    if not is_mapping(partitions):
        raise TypeError(f"partitions takes a mapping of keys to kinds, not {type(partitions).__name__}")
    made = ArtifactPartitionSchema()
    texts: list[str] = []
    for key, kind in partitions.items():
        text("a key of partitions", key, 1, LONGEST_KEY)
        if isinstance(kind, (str, type)) and kind in _TIMES:
            if made.time_partition is not None:
                first = made.time_partition.key
                raise ValueError(
                    f"partitions {first!r} and {key!r} are both times; an artifact has at most one time key"
                )
            made.time_partition = TimePartitionKey(key=key, granularity=granularity_message(_TIMES[kind]))
        elif isinstance(kind, (str, type)) and kind in _TEXTS:
            texts.append(key)
        else:
            raise ValueError(
                f"partition {key!r} is declared as {kind!r}; write date, datetime, 'hour', 'day', 'week' or 'month' for a "
                "time, str for a text"
            )
    if len(texts) > _MOST_KEYS:
        raise ValueError(f"partitions takes at most {_MOST_KEYS} text keys, not {len(texts)}")
    made.partition_keys = texts
    return made
