"""Read values deep inside a message from its bytes, without decoding the messages in between."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from .fields import reading
from .message import Message
from .wire import head

T = TypeVar("T")
Reads = Callable[[Any], T]
"""A function that reads a value from a message."""

_UNCLEAR = -1
"""An invalid position."""


class _Level(NamedTuple):
    """What to search for in one of the messages along the path."""

    wanted: int
    """The tag of the field."""
    rivals: frozenset[int]
    """Tags of the other members of its oneof, which unset it."""


class _Plan(NamedTuple):
    """How to read a path from bytes, starting with the message of its second name."""

    levels: tuple[_Level, ...]
    finish: Reads[Any]
    """Converts the bytes or the number at the end to the value."""
    has_bytes: bool
    missing: Any


def path(root: type[Message], names: str, convert: Reads[Any] | None = None) -> Reads[Any]:
    """Return a function that reads a nested field of one type of message, with the same result as the attributes.

    The first message along the path is decoded, because the paths of an entity share it. From the second one on, the
    function searches the encoded bytes, unless that message is already decoded.

    Args:
        root: The type of the messages.
        names: Dotted field names: one or more messages, then a singular field that is not a float and has no fixed width.
            They are resolved by the first call.
        convert: Converts an enum member or number. Default: return the member.
    """
    first, second, *rest = names.split(".")
    raw = "*" + second
    plan: _Plan | None = None

    def read(message: Any) -> Any:
        nonlocal plan
        if plan is None:
            plan = _planned(root, [first, second, *rest], convert)
        levels, finish, has_bytes, missing = plan
        above = message.__dict__.get(first)
        if above is None:
            above = getattr(message, first)
            if above is None:
                return missing
        buf = above.__dict__.get(raw)
        if type(buf) is bytes:
            start, end, number = 0, len(buf), 0
            try:
                for wanted, rivals in levels:
                    pos, found = start, -1
                    while pos < end:
                        tag = buf[pos]
                        size = buf[pos + 1]
                        at = pos + 2
                        if tag > 127 or size > 127:
                            tag, size, at = head(buf, pos)
                        kind = tag & 7
                        if kind == 2:
                            pos = at + size
                        elif kind == 0:
                            pos = at
                        else:
                            break
                        if tag == wanted:
                            if found >= 0:
                                pos = _UNCLEAR
                                break
                            found, number = at, size
                        elif rivals and tag in rivals:
                            pos = _UNCLEAR
                            break
                    if pos != end:
                        break
                    if found < 0:
                        return missing
                    start, end = found, found + number
                else:
                    if has_bytes:
                        return finish(buf[start:end])
                    if number < 1 << 31:
                        return finish(number)
            except (IndexError, ValueError):
                pass
        # Already decoded, or a case for the decoder: fields that occur twice, negative numbers, malformed data.
        return _by_attributes(above, (second, *rest), missing, convert)

    return read


def at_path(message: Any, names: str) -> Any:
    """Return the value at a dotted path, or None if a message along it is unset; "" is the message itself."""
    for name in names.split(".") if names else ():
        if message is None:
            return None
        message = getattr(message, name)
    return message


def encoded_field(message: Message, name: str) -> bytes | None:
    """Return the bytes of a sub-message, which stays encoded if it was not decoded before; None if it is unset."""
    raw = message.__dict__.get("*" + name)
    if type(raw) is bytes:
        return raw
    value = getattr(message, name)
    return None if value is None else bytes(value)


def moment_path(root: type[Message], names: str) -> Reads[datetime | None]:
    """Like `path`, for a `Timestamp`: returns a datetime in UTC; None if it is unset."""
    read = path(root, names)

    def read_moment(message: Any) -> datetime | None:
        found = read(message)
        return None if found is None else found.to_datetime()

    return read_moment


def _by_attributes(at: Any, names: tuple[str, ...], missing: Any, convert: Reads[Any] | None) -> Any:
    for name in names:
        at = getattr(at, name)
        if at is None:
            return missing
    return at if convert is None else convert(at)


def _planned(root: Any, names: list[str], convert: Reads[Any] | None) -> _Plan:
    cls: Any = root
    finish, missing = convert, None
    levels: list[_Level] = []
    for name in names:
        specs, field = cls.specs(), getattr(cls, name)
        spec = specs[name]
        kind, finish, missing = reading(spec, field)
        rivals = [s for s in specs.values() if s.oneof and s.oneof == spec.oneof and s is not spec]
        tags = frozenset(s.number << 3 | reading(s, getattr(cls, s.name))[0] for s in rivals)
        levels.append(_Level(spec.number << 3 | kind, tags))
        cls = field.target if spec.kind == "message" else None
    if convert is not None:
        finish, missing = convert, convert(missing)
    assert finish is not None
    # The first two are not searched in bytes.
    return _Plan(tuple(levels[2:]), finish, levels[-1].wanted & 7 == 2, missing)
