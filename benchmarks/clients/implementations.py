"""The three implementations of messages: ours, betterproto2's own, and upb, which is google's protobuf in C."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from importlib import import_module
from types import SimpleNamespace
from typing import Any, NamedTuple

import shapes

BETTERPROTO_PACKAGE = "betterproto_messages"
"""What betterproto2's compiler wrote, beside its interpreter."""

ENUMS = {
    "ActionPhase": ("flyteidl2.common.phase", "ActionPhase"),
    "ResourceName": ("flyteidl2.core.tasks", "ResourcesResourceName"),
    "SimpleType": ("flyteidl2.core.types", "SimpleType"),
}


class Implementation(NamedTuple):
    """What the measures need to know of one."""

    classes: SimpleNamespace
    parse: Callable[[Any, bytes], Any]
    encode: Callable[[Any], bytes]
    to_dict: Callable[[Any], dict[str, Any]]
    moment: Callable[[Any], Any]
    """Reads a time: whole seconds and nanoseconds, or what the implementation turns them into by itself."""


def ours() -> Implementation:
    from flyte_api.messages.google.protobuf.timestamp import Timestamp

    classes = shapes.load(
        lambda proto: f"flyte_api.messages.{proto}",
        flat=True,
        enum=lambda name: getattr(import_module(f"flyte_api.messages.{ENUMS[name][0]}"), ENUMS[name][1]),
        moment=lambda seconds, nanos: Timestamp(seconds=seconds, nanos=nanos),
    )
    return Implementation(classes, lambda kind, data: kind.parse(data), bytes, lambda message: message.to_dict(), _pair)


def betterproto() -> Implementation:
    def package(proto: str) -> str:
        return f"{BETTERPROTO_PACKAGE}.{proto.rpartition('.')[0]}"

    def moment(seconds: int, nanos: int) -> dt.datetime:
        return dt.datetime.fromtimestamp(seconds, dt.UTC).replace(microsecond=nanos // 1000)

    classes = shapes.load(
        package,
        flat=True,
        enum=lambda name: getattr(import_module(package(ENUMS[name][0])), ENUMS[name][1]),
        moment=moment,
    )
    return Implementation(
        classes,
        lambda kind, data: kind.parse(data),
        bytes,
        lambda message: message.to_dict(),
        lambda moment: moment,
    )


def upb() -> Implementation:
    from google.protobuf.internal import api_implementation
    from google.protobuf.json_format import MessageToDict
    from google.protobuf.timestamp_pb2 import Timestamp

    if api_implementation.Type() != "upb":
        raise RuntimeError(f"protobuf runs on {api_implementation.Type()} here, not on upb")
    classes = shapes.load(
        lambda proto: f"{proto}_pb2",
        flat=False,
        enum=lambda name: int,
        moment=lambda seconds, nanos: Timestamp(seconds=seconds, nanos=nanos),
    )
    return Implementation(
        classes,
        lambda kind, data: kind.FromString(data),
        lambda message: message.SerializeToString(),
        MessageToDict,
        _pair,
    )


def _pair(moment: Any) -> Any:
    return moment and (moment.seconds, moment.nanos)


def plain(value: Any) -> Any:
    """The same for what was read, whichever implementation read it: unset is None, times are pairs, enums numbers."""
    if isinstance(value, dt.datetime):
        return int(value.timestamp()), value.microsecond * 1000
    if isinstance(value, tuple):
        return None if value == (0, 0) else tuple(plain(part) for part in value)
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value) or None
    return value
