"""How long to wait before trying again."""

from __future__ import annotations

import random
from typing import NamedTuple


class Backoff(NamedTuple):
    """Delays that double, with jitter so that many clients do not come back at the same moment."""

    attempts: int
    """Most tries in all, the first included; 1 never repeats."""
    first: float
    """Seconds before the second try, on average."""
    longest: float
    """Seconds that no delay exceeds."""

    def delay(self, failures: int) -> float:
        """Seconds to wait after so many failures in a row, at least one."""
        mean = self.first * 2.0 ** min(failures - 1, 32)
        return min(self.longest, mean * random.uniform(0.75, 1.25))


CALLS = Backoff(attempts=4, first=0.1, longest=2.0)
"""Repeating calls that may be repeated."""

SUBSCRIPTIONS = Backoff(attempts=6, first=0.5, longest=10.0)
"""Opening a watch again: five more tries after a failure."""
