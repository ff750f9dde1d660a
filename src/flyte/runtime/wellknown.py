"""What the well-known types can do beyond their fields: mixins that generated classes are given by name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self, cast

if TYPE_CHECKING:
    from .message import Message as _Base
else:
    _Base = object

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_STAMP = re.compile(r"^(\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)$")
_SPAN = re.compile(r"^(-?)(\d+)(?:\.(\d{1,9}))?s$")


def _fraction(nanos: int) -> str:
    if not nanos:
        return ""
    digits = f"{nanos:09d}"
    while digits.endswith("000"):
        digits = digits[:-3]
    return "." + digits


class TimestampMixin(_Base):
    """An instant, exact to the nanosecond."""

    if TYPE_CHECKING:
        seconds: int
        nanos: int

    @classmethod
    def of(cls, moment: datetime) -> Self:
        """The timestamp of an aware datetime.

        Raises:
            ValueError: The datetime has no time zone.
        """
        if moment.tzinfo is None or moment.utcoffset() is None:
            raise ValueError(
                f"{moment!r} has no time zone; write for example {moment.isoformat()}+00:00, or add tzinfo=UTC"
            )
        micros = (moment - _EPOCH) // _MICROSECOND
        return cls(seconds=micros // 1_000_000, nanos=micros % 1_000_000 * 1000)

    @classmethod
    def now(cls) -> Self:
        """The present, to the microsecond."""
        return cls.of(datetime.now(UTC))

    def to_datetime(self) -> datetime:
        """The instant as an aware datetime in UTC; what is finer than a microsecond is cut off.

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
        whole = (_EPOCH + timedelta(seconds=self.seconds)).replace(tzinfo=None)
        return f"{whole.isoformat()}{_fraction(self.nanos)}Z"

    @classmethod
    def _from_json(cls, value: Any) -> Self:
        if isinstance(value, datetime):
            return cls.of(value)
        match = _STAMP.match(value)
        if match is None:
            raise ValueError("not an RFC 3339 time")
        zone = "+00:00" if match[3] in "Zz" else match[3]
        moment = datetime.fromisoformat(match[1].upper() + zone)
        return cls(seconds=(moment - _EPOCH) // timedelta(seconds=1), nanos=int((match[2] or "").ljust(9, "0")))


class DurationMixin(_Base):
    """A span of time, exact to the nanosecond; both parts carry the sign."""

    if TYPE_CHECKING:
        seconds: int
        nanos: int

    @classmethod
    def of(cls, span: timedelta) -> Self:
        """The duration of a timedelta."""
        micros = abs(span // _MICROSECOND)
        sign = -1 if span < timedelta(0) else 1
        return cls(seconds=sign * (micros // 1_000_000), nanos=sign * (micros % 1_000_000) * 1000)

    def to_timedelta(self) -> timedelta:
        """The span as a timedelta; what is finer than a microsecond is cut off.

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
        sign = "-" if self.seconds < 0 or self.nanos < 0 else ""
        return f"{sign}{abs(self.seconds)}{_fraction(abs(self.nanos))}s"

    @classmethod
    def _from_json(cls, value: Any) -> Self:
        if isinstance(value, timedelta):
            return cls.of(value)
        match = _SPAN.match(value)
        if match is None:
            raise ValueError('not a number of seconds such as "1.5s"')
        sign = -1 if match[1] else 1
        return cls(seconds=sign * int(match[2]), nanos=sign * int((match[3] or "").ljust(9, "0")))


class StructMixin(_Base):
    """A JSON object."""

    if TYPE_CHECKING:
        fields: dict[str, Any]

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Self:
        """The struct of a mapping of JSON values."""
        kind: Any = cls.__dict__["fields"].target
        return cls(fields={k: kind.of(v) for k, v in value.items()})

    def to_python(self) -> dict[str, Any]:
        """The object as a dict; numbers are floats, as the format has no others."""
        return {k: v.to_python() for k, v in self.fields.items()}

    _to_plain = _to_json = to_python

    @classmethod
    def _from_json(cls, value: Any) -> Self:
        return cls.of(dict(value))


class ListValueMixin(_Base):
    """A JSON array."""

    if TYPE_CHECKING:
        values: list[Any]

    @classmethod
    def of(cls, value: Iterable[Any]) -> Self:
        """The list of JSON values."""
        kind: Any = cls.__dict__["values"].target
        return cls(values=[kind.of(v) for v in value])

    def to_python(self) -> list[Any]:
        """The array as a list."""
        return [v.to_python() for v in self.values]

    _to_plain = _to_json = to_python

    @classmethod
    def _from_json(cls, value: Any) -> Self:
        return cls.of(value)


class ValueMixin(_Base):
    """Any JSON value."""

    @classmethod
    def of(cls, value: Any) -> Self:
        """The message of a JSON value.

        Raises:
            TypeError: The value has no JSON form.
        """
        fields: dict[str, Any] = {k: v for k, v in cls.__dict__.items() if hasattr(v, "target")}
        if value is None:
            return cls(null_value=0)
        if isinstance(value, bool):
            return cls(bool_value=value)
        if isinstance(value, (int, float)):
            return cls(number_value=float(value))
        if isinstance(value, str):
            return cls(string_value=value)
        if isinstance(value, Mapping):
            return cls(struct_value=fields["struct_value"].target.of(value))
        if isinstance(value, (list, tuple)):
            return cls(list_value=fields["list_value"].target.of(cast("list[Any]", value)))
        raise TypeError(f"{type(value).__name__} is not a JSON value")

    def to_python(self) -> Any:
        """The value as None, bool, float, str, dict or list."""
        for name, value in self.set_fields():
            if name == "null_value":
                return None
            return value.to_python() if hasattr(value, "to_python") else value
        return None

    _to_plain = _to_json = to_python

    @classmethod
    def _from_json(cls, value: Any) -> Self:
        return cls.of(value)

    @classmethod
    def _null(cls) -> Self:
        return cls.of(None)


class WrapperMixin(_Base):
    """A single value with presence; in JSON it is the bare value."""

    if TYPE_CHECKING:
        value: Any

    def _to_plain(self) -> Any:
        return self.value

    def _to_json(self) -> Any:
        from .json import scalar_to_json

        return scalar_to_json(type(self).specs()["value"].kind, self.value)

    @classmethod
    def _from_json(cls, value: Any) -> Self:
        from .json import scalar_from_json

        return cls(value=scalar_from_json(cls.specs()["value"].kind, value, cls.__name__))


class FieldMaskMixin(_Base):
    """A set of field paths; in JSON one comma-separated string in camel case."""

    if TYPE_CHECKING:
        paths: list[str]

    def _to_plain(self) -> list[str]:
        return list(self.paths)

    def _to_json(self) -> str:
        return ",".join(re.sub(r"_([a-z])", lambda m: m[1].upper(), path) for path in self.paths)

    @classmethod
    def _from_json(cls, value: Any) -> Self:
        paths = [p for p in str(value).split(",") if p]
        return cls(paths=[re.sub(r"[A-Z]", lambda m: "_" + m[0].lower(), path) for path in paths])
