"""Values deep inside a message, read on the wire: of what lies between, nothing is built."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, Generic, NamedTuple, TypeVar, cast

from .fields import reading
from .message import Message
from .wire import head

T = TypeVar("T")

_UNCLEAR: Final = object()
"""A walk that met something that decoding sorts out: fields that occur twice, numbers that may be negative, damaged data."""


class _Level(NamedTuple):
    """What to look for in one of the messages on the way."""

    wanted: int
    """The tag of the field."""
    rivals: frozenset[int]
    """Tags of the other members of its oneof, which unset it."""


class Path(Generic[T]):
    """A field deep inside messages of one type. Called with a message, it gives what the attributes would.

    The first message on the way is decoded, since the paths of an entity share it. In the second one and below the field
    is looked for where it stands, unless that message has been decoded before.
    """

    __slots__ = ("_convert", "_first", "_levels", "_missing", "_names", "_raw", "_read", "_root")

    _missing: T
    _read: Callable[[Any], T]

    def __init__(self, root: type[Message], path: str, convert: Callable[[Any], T] | None = None) -> None:
        """Name the field; nothing is looked up before the first call.

        Args:
            root: The type of the messages.
            path: Names of fields with dots between them: two messages or more, and a single field that is not a float or of
                fixed width.
            convert: What to make of an enum, given as member or number. Default: the member.
        """
        self._root = root
        self._convert = convert
        self._names = tuple(path.split("."))
        self._first, self._raw = self._names[0], "*" + self._names[1]
        self._levels: tuple[_Level, ...] = ()

    def __call__(self, message: Message) -> T:
        """The value in a message; the field's default where a message on the way is missing."""
        levels = self._levels or self._prepare()
        at = message.__dict__.get(self._first)
        if at is None:
            at = getattr(message, self._first)
            if at is None:
                return self._missing
        raw = at.__dict__.get(self._raw)
        if type(raw) is bytes:
            value = _walk(raw, levels)
            if value is None:
                return self._missing
            if value is not _UNCLEAR:
                try:
                    return self._read(value)
                except UnicodeDecodeError:
                    value = _UNCLEAR  # the attributes say where
        for name in self._names[1:]:
            at = getattr(at, name)
            if at is None:
                return self._missing
        found: T = at if self._convert is None else self._convert(at)
        return found

    def _prepare(self) -> tuple[_Level, ...]:
        cls: Any = self._root
        levels: list[_Level] = []
        read, missing = None, None
        for name in self._names:
            specs, field = cls.specs(), getattr(cls, name)
            spec = specs[name]
            kind, read, missing = reading(spec, field)
            rivals = [s for s in specs.values() if s.oneof and s.oneof == spec.oneof and s is not spec]
            tags = frozenset(s.number << 3 | reading(s, getattr(cls, s.name))[0] for s in rivals)
            levels.append(_Level(spec.number << 3 | kind, tags))
            cls = field.target if spec.kind == "message" else None
        if self._convert is not None:
            read, missing = self._convert, self._convert(missing)
        self._read, self._missing = cast("Callable[[Any], T]", read), cast("T", missing)
        # Other threads take them for the sign that all is ready. The first two are not looked for on the wire.
        self._levels = tuple(levels[2:])
        return self._levels


class MomentPath(Path[Any]):
    """A `Timestamp` deep inside messages, read as a datetime."""

    __slots__ = ()

    def __call__(self, message: Message) -> datetime | None:
        """The moment in UTC; None where it is not set."""
        found = super().__call__(message)
        return None if found is None else found.to_datetime()


def _walk(buf: bytes, levels: tuple[_Level, ...]) -> Any:
    """The bytes or the number at the end of the levels, None if there is none."""
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
                    return _UNCLEAR
                if tag == wanted:
                    if found >= 0:
                        return _UNCLEAR
                    found, number = at, size
                elif rivals and tag in rivals:
                    return _UNCLEAR
            if pos > end:
                return _UNCLEAR
            if found < 0:
                return None
            start, end = found, found + number
    except (IndexError, ValueError):
        return _UNCLEAR
    if levels[-1].wanted & 7 == 2:
        return buf[start:end]
    return number if number < 1 << 31 else _UNCLEAR
