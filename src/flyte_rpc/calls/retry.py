"""Which errors are retried, and the delays before retries."""

from __future__ import annotations

import random
from typing import NamedTuple

from flyte_rpc.errors import (
    DeadlineExceededError,
    InternalError,
    ResourceExhaustedError,
    RpcCancelledError,
    UnavailableError,
)


class Backoff(NamedTuple):
    """Exponential delays with jitter, so that many clients do not retry at the same moment."""

    attempts: int
    """Maximum number of attempts, the first included; 1 never retries."""
    first: float
    """Seconds before the second attempt, on average."""
    longest: float
    """Maximum delay in seconds."""

    def delay(self, failures: int) -> float:
        """Return the seconds to wait after `failures` consecutive failures (at least 1)."""
        mean = self.first * 2.0 ** min(failures - 1, 32)
        return min(self.longest, mean * random.uniform(0.75, 1.25))


def check_backoff(retry: object) -> Backoff:
    """Check the argument `retry`.

    Raises:
        TypeError: It is not a `Backoff`.
    """
    if not isinstance(retry, Backoff):
        raise TypeError(f"retry takes a Backoff, not {type(retry).__name__}")
    return retry


CALLS = Backoff(attempts=4, first=0.1, longest=2.0)
"""Calls that are safe to retry."""

SUBSCRIPTIONS = Backoff(attempts=6, first=0.5, longest=10.0)
"""Streams that reconnect: up to five more attempts after a failure."""

BROKEN_STREAM = (UnavailableError, DeadlineExceededError, RpcCancelledError, InternalError)
"""Errors after which a stream reconnects: restarts, rollouts, proxy timeouts and temporary server errors.

`EndpointError` and `ConnectionLostError` are subclasses of `UnavailableError`, so they are included.
"""

BUSY_SERVER = (UnavailableError, DeadlineExceededError, ResourceExhaustedError)
"""Errors after which an idempotent write is sent again until it succeeds."""


class Failures:
    """Counts consecutive failures. A success resets the count."""

    def __init__(self, backoff: Backoff) -> None:
        self._backoff = backoff
        self.count = 0

    def reset(self) -> None:
        """Record a success."""
        self.count = 0

    def delay_after(self, error: Exception) -> float:
        """Record a failure.

        Returns:
            Seconds to wait before the next attempt.

        Raises:
            Exception: The given error, if it was the last attempt.
        """
        self.count += 1
        if self.count >= self._backoff.attempts:
            raise error
        return self._backoff.delay(self.count)
