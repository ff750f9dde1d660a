"""Values deep inside a message, read on the wire: of what lies between, nothing is built."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from .fields import reading
from .message import Message
from .wire import head

T = TypeVar("T")
Reads = Callable[[Any], T]
"""A function that reads a value out of a message."""

_UNCLEAR = -1
"""A position that is nowhere."""


class _Level(NamedTuple):
    """What to look for in one of the messages on the way."""

    wanted: int
    """The tag of the field."""
    rivals: frozenset[int]
    """Tags of the other members of its oneof, which unset it."""


class _Plan(NamedTuple):
    """How a path is read on the wire, from the message on that its second name stands for."""

    levels: tuple[_Level, ...]
    finish: Reads[Any]
    """What makes the value of the bytes or the number at the end."""
    has_bytes: bool
    missing: Any


def path(root: type[Message], names: str, convert: Reads[Any] | None = None) -> Reads[Any]:
    """A function that reads a field deep inside messages of one type, and gives what the attributes would.

    The first message on the way is decoded, since the paths of an entity share it. In the second one and below the field
    is looked for where it stands, unless that message has been decoded before.

    Args:
        root: The type of the messages.
        names: Names of fields with dots between them: one message or more, and a single field that is not a float or of
            fixed width. They are looked up by the first call.
        convert: What to make of an enum, given as member or number. Default: the member.
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
        # Decoded before, or something that decoding sorts out: fields that occur twice, negative numbers, damaged data.
        return _by_attributes(above, (second, *rest), missing, convert)

    return read


def at_path(message: Any, names: str) -> Any:
    """The value at names with dots between them, or None where a message on the way is missing; "" is the message itself."""
    for name in names.split(".") if names else ():
        if message is None:
            return None
        message = getattr(message, name)
    return message


def moment_path(root: type[Message], names: str) -> Reads[datetime | None]:
    """Like `path`, for a `Timestamp`, which is read as a datetime in UTC; None where it is not set."""
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
    # The first two are not looked for on the wire.
    return _Plan(tuple(levels[2:]), finish, levels[-1].wanted & 7 == 2, missing)
