"""Validates cron expressions like the control plane's scheduler, so that errors show before deployment."""

from __future__ import annotations

import re
from typing import NamedTuple

from flyte_rpc.arguments import text

_NUMBER = re.compile(r"[0-9]{1,9}")
_WORDS = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
_SPAN = re.compile(r"((?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+")
_EVERY = "@every "


class _Field(NamedTuple):
    name: str
    low: int
    high: int
    words: tuple[str, ...] = ()
    """Names for the numbers, starting with the lowest."""


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of month", 1, 31),
    _Field("month", 1, 12, ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")),
    _Field("day of week", 0, 6, ("sun", "mon", "tue", "wed", "thu", "fri", "sat")),
)


def check_cron(argument: str, value: object) -> None:
    """Check a cron expression: five fields, or a descriptor such as `@daily` or `@every 1h30m`.

    Raises:
        TypeError: It is not text.
        ValueError: A field is missing, out of range or invalid. The message names the field.
    """
    expression = text(argument, value, 1)
    if "=" in expression:
        raise ValueError(f"{argument} has {expression!r}; name the time zone in timezone=, not in the expression")
    if expression.startswith("@"):
        if expression not in _WORDS and not _is_every(expression):
            raise ValueError(
                f"{argument} has {expression!r}, which is not known; known: {', '.join(_WORDS)}, and @every with a span "
                "of time such as @every 1h30m"
            )
        return
    fields = expression.split()
    if len(fields) != len(_FIELDS):
        raise ValueError(
            f"{argument} takes five fields, minute, hour, day of month, month and day of week, such as '0 9 * * mon-fri'; "
            f"{expression!r} has {len(fields)}"
        )
    for field, written in zip(_FIELDS, fields, strict=True):
        for part in written.split(","):
            _check_part(f"{argument} has {written!r} for the {field.name}", field, part)


def _is_every(expression: str) -> bool:
    span = expression.removeprefix(_EVERY)
    return span != expression and _SPAN.fullmatch(span) is not None and any(digit in span for digit in "123456789")


def _check_part(where: str, field: _Field, part: str) -> None:
    body, slash, step = part.partition("/")
    if slash and not (_NUMBER.fullmatch(step) and int(step) > 0):
        raise ValueError(f"{where}; a step is a positive number behind the slash, as in */5")
    if body in ("*", "?"):
        return
    first, dash, last = body.partition("-")
    low = _number(where, field, first)
    if dash and low > _number(where, field, last):
        raise ValueError(f"{where}; a range goes from the lower to the higher value")


def _number(where: str, field: _Field, written: str) -> int:
    if written.lower() in field.words:
        return field.low + field.words.index(written.lower())
    takes = f"{field.low} to {field.high}"
    if field.words:
        takes += f" or {field.words[0]} to {field.words[-1]}"
    if not _NUMBER.fullmatch(written) or not field.low <= int(written) <= field.high:
        raise ValueError(f"{where}; it takes {takes}, ranges as in 1-5, lists as in 1,3, and * for any")
    return int(written)
