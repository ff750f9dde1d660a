"""When to send a request again: the header `Retry-After` of a busy server, and pauses that grow."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 10.0
_LEAST_LEFT = 0.1


def retry_after(value: str | None, *, longest: float, now: Callable[[], float] = time.time) -> float | None:
    """Return the seconds to wait.

    Args:
        value: The header: seconds, or an HTTP date.
        longest: The most seconds to return.
        now: Tells the time in seconds since 1970, which an HTTP date is compared with.

    Returns:
        At least 0 and at most `longest`; None if the header is missing or not valid.
    """
    text = (value or "").strip()
    if text.isascii() and text.isdecimal():
        return min(float(text), longest)
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    try:
        seconds = date.timestamp() - now()
    except (OverflowError, OSError):
        return None
    return min(max(seconds, 0.0), longest)


def retry_pause(failures: int, left: float) -> float | None:
    """Return the seconds to wait after consecutive failures: growing, and varied, so that clients spread.

    Args:
        failures: How many there were.
        left: Seconds until the deadline. The pause leaves time for another attempt.

    Returns:
        The seconds; None if no time is left.
    """
    if left < _LEAST_LEFT:
        return None
    pause = min(_FIRST_PAUSE * 2.0 ** min(failures - 1, 10), _LONGEST_PAUSE)
    return min(pause * random.uniform(0.75, 1.25), left / 2)
