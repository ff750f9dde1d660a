"""The header `Retry-After`: when a busy server wants to be asked again."""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime


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
