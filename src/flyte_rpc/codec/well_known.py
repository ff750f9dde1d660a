"""Mixins with extra methods for the well-known types."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self, TypeVar

from flyte_rpc.typeguards import is_list

from .json_scalars import scalar_from_json, scalar_to_json
from .message import Message

# For type checkers, mixins derive from the message class.
if TYPE_CHECKING:
    _Base = Message
else:
    _Base = object

M = TypeVar("M", bound="Message")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_FIRST_SECOND = -62_135_596_800
_LAST_SECOND = 253_402_300_799
_LONGEST_SPAN = 315_576_000_000
_NANOS = 1_000_000_000
_STAMP = re.compile(r"(\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_SPAN = re.compile(r"(-?)(\d+)(?:\.(\d{1,9}))?s", re.ASCII)


def _fraction(nanos: int) -> str:
    """Format nanoseconds with zero, three, six or nine digits after the point."""
    if not nanos:
        return ""
    digits = f"{nanos:09d}"
    while digits.endswith("000"):
        digits = digits[:-3]
    return "." + digits


def _nanos(digits: str | None) -> int:
    return int((digits or "").ljust(9, "0"))


class TimestampMixin(_Base):
    """An instant, exact to the nanosecond."""

    seconds: int
    nanos: int

    @classmethod
    def of(cls, moment: datetime) -> Self:
        """Create a timestamp from an aware datetime.

        Raises:
            ValueError: The datetime has no time zone.
        """
        if moment.utcoffset() is None:
            raise ValueError(
                f"{moment!r} has no time zone; write for example {moment.isoformat()}+00:00, or add tzinfo=UTC"
            )
        micros = (moment - _EPOCH) // _MICROSECOND
        return cls(seconds=micros // 1_000_000, nanos=micros % 1_000_000 * 1000)

    @classmethod
    def now(cls) -> Self:
        """Return the current time, to the microsecond."""
        return cls.of(datetime.now(UTC))

    def to_datetime(self) -> datetime:
        """Convert to an aware datetime in UTC, truncated to microseconds.

        Raises:
            ValueError: The instant is outside the years 1 to 9999.
        """
        try:
            return _EPOCH + timedelta(seconds=self.seconds, microseconds=self.nanos // 1000)
        except OverflowError:
            raise ValueError(f"{self.seconds} seconds from 1970 is outside the years 1 to 9999") from None

    def _to_plain(self) -> datetime:
        return self.to_datetime()

    def _to_json(self) -> str:
        self._check()
        whole = (_EPOCH + timedelta(seconds=self.seconds)).replace(tzinfo=None)
        return f"{whole.isoformat()}{_fraction(self.nanos)}Z"

    def _check(self) -> None:
        if not _FIRST_SECOND <= self.seconds <= _LAST_SECOND:
            raise ValueError(f"{self.seconds} seconds from 1970 is outside the years 1 to 9999")
        if not 0 <= self.nanos < _NANOS:
            raise ValueError(f"{self.nanos} nanoseconds is not between 0 and 999999999")

    @classmethod
    def _from_json(cls, value: Any) -> Self:
        if isinstance(value, datetime):
            return cls.of(value)
        match = _STAMP.fullmatch(value)
        if match is None:
            raise ValueError("it is not an RFC 3339 time such as 2025-01-31T12:00:00Z")
        zone = "+00:00" if match[3] in "Zz" else match[3]
        moment = datetime.fromisoformat(match[1].upper() + zone)
        made = cls(seconds=(moment - _EPOCH) // timedelta(seconds=1), nanos=_nanos(match[2]))
        made._check()
        return made


class DurationMixin(_Base):
    """A span of time, exact to the nanosecond; both parts carry the sign."""

    seconds: int
    nanos: int

    @classmethod
    def of(cls, span: timedelta) -> Self:
        """Create a duration from a timedelta.

        Raises:
            ValueError: The span is longer than 10,000 years.
        """
        micros = abs(span // _MICROSECOND)
        sign = -1 if span < timedelta(0) else 1
        made = cls(seconds=sign * (micros // 1_000_000), nanos=sign * (micros % 1_000_000) * 1000)
        made._check()
        return made

    def to_timedelta(self) -> timedelta:
        """Convert to a timedelta, truncated to microseconds.

        Raises:
            ValueError: The span is longer than a timedelta can hold.
        """
        micros = abs(self.nanos) // 1000 * (-1 if self.nanos < 0 else 1)
        try:
            return timedelta(seconds=self.seconds, microseconds=micros)
        except OverflowError:
            raise ValueError(f"{self.seconds} seconds is longer than a timedelta can hold") from None

    def _to_plain(self) -> timedelta:
        return self.to_timedelta()

    def _to_json(self) -> str:
        self._check()
        sign = "-" if self.seconds < 0 or self.nanos < 0 else ""
        return f"{sign}{abs(self.seconds)}{_fraction(abs(self.nanos))}s"

    def _check(self) -> None:
        if abs(self.seconds) > _LONGEST_SPAN:
            raise ValueError(f"{self.seconds} seconds is longer than 10,000 years")
        if abs(self.nanos) >= _NANOS:
            raise ValueError(f"{self.nanos} nanoseconds is a second or more")
        if self.seconds * self.nanos < 0:
            raise ValueError(f"{self.seconds} seconds and {self.nanos} nanoseconds have different signs")

    @classmethod
    def _from_json(cls, value: Any) -> Self:
        if isinstance(value, timedelta):
            return cls.of(value)
        match = _SPAN.fullmatch(value)
        if match is None:
            raise ValueError('it is not a number of seconds such as "1.5s"')
        sign = -1 if match[1] else 1
        made = cls(seconds=sign * int(match[2]), nanos=sign * _nanos(match[3]))
        made._check()
        return made


class WrapperMixin(_Base):
    """A single value with presence; in JSON it is the bare value."""

    value: Any

    def _to_plain(self) -> Any:
        return self.value

    def _to_json(self) -> Any:
        return scalar_to_json(type(self).specs()["value"].kind, self.value)

    @classmethod
    def _from_json(cls, value: Any) -> Self:
        return cls(value=scalar_from_json(cls.specs()["value"].kind, value, cls.__name__))


class FieldMaskMixin(_Base):
    """A set of field paths. In JSON, it is one comma-separated string in camel case."""

    paths: list[str]

    def _to_plain(self) -> list[str]:
        return list(self.paths)

    def _to_json(self) -> str:
        camel = [re.sub(r"_([a-z])", lambda m: m[1].upper(), path) for path in self.paths]
        for path, written in zip(self.paths, camel, strict=True):
            if "_" in written or _snake(written) != path:
                raise ValueError(f"the path {path!r} cannot be converted to camel case and back")
        return ",".join(camel)

    @classmethod
    def _from_json(cls, value: Any) -> Self:
        if is_list(value):
            return cls(paths=value)
        if "_" in value:
            raise ValueError("its paths are written in camel case")
        return cls(paths=[_snake(path) for path in value.split(",") if path])


def _snake(path: str) -> str:
    return re.sub(r"[A-Z]", lambda m: "_" + m[0].lower(), path)


class AnyMixin(_Base):
    """A message of any type, with the name of its type."""

    type_url: str
    value: bytes

    @classmethod
    def of(cls, message: Message) -> Self:
        """Pack a message."""
        return cls(type_url=f"type.googleapis.com/{message.FULL_NAME}", value=bytes(message))

    def holds(self, kind: type[Message]) -> bool:
        """Whether the packed message has that type."""
        return self._full_name() == kind.FULL_NAME

    def unpack(self, kind: type[M]) -> M:
        """Return the packed message.

        Raises:
            TypeError: The packed message has another type.
            DecodeError: The bytes are malformed.
        """
        if not self.holds(kind):
            raise TypeError(f"the packed message is {self.type_url or 'empty'}, not {kind.FULL_NAME}")
        return kind.parse(self.value)

    def _full_name(self) -> str:
        return self.type_url.rpartition("/")[2]

    def loaded_type(self) -> type[Message]:
        """Return the class of the packed message, from the imported modules.

        Raises:
            ValueError: No imported module has the message.
        """
        full_name = self._full_name()
        waiting: list[type[Message]] = [Message]
        while waiting:
            found = waiting.pop()
            if full_name and full_name == found.FULL_NAME:
                return found
            waiting += found.__subclasses__()
        raise ValueError(f"no imported module has the message {full_name!r}, so it has no JSON form")
