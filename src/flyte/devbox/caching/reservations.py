"""Reservations: who computes the outputs for a cache key, so that others wait for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from attrs import frozen

from flyte.devbox import clock


class CacheKey(NamedTuple):
    """A key of the cache. Projects and domains do not share outputs."""

    project: str
    domain: str
    key: str


@frozen
class Reservation:
    """A reservation of a key."""

    owner: str
    expires_at: int | None
    """When it ends without an extension, in microseconds; None if it lasts until its owner releases it."""


class Reservations:
    """The reservations of a devbox. They are in memory, because their owners do not survive the devbox."""

    def __init__(self, now: Callable[[], int] = clock.now) -> None:
        self._now = now
        self._held: dict[CacheKey, Reservation] = {}
        self._waiting: dict[CacheKey, list[asyncio.Future[None]]] = {}

    def acquire(self, key: CacheKey, owner: str, seconds: float | None) -> Reservation:
        """Acquire or extend a reservation. Return the current one, which another owner may have.

        Args:
            key: The key.
            owner: Who wants it.
            seconds: Seconds until it expires; None for until it is released.
        """
        now = self._now()
        for expired in [
            key for key, held in self._held.items() if held.expires_at is not None and held.expires_at <= now
        ]:
            del self._held[expired]
        current = self._held.get(key)
        if current is not None and current.owner != owner:
            return current
        reservation = Reservation(owner, None if seconds is None else now + round(seconds * 1e6))
        self._held[key] = reservation
        return reservation

    def release(self, key: CacheKey, owner: str) -> None:
        """End a reservation, if the owner has it."""
        current = self._held.get(key)
        if current is None or current.owner != owner:
            return
        del self._held[key]
        for waiting in self._waiting.pop(key, ()):
            if not waiting.done():
                waiting.set_result(None)

    def released(self, key: CacheKey) -> asyncio.Future[None]:
        """Return a future that is done when somebody releases the key. It does not notice that a reservation expires."""
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, []).append(waiting)
        return waiting

    def forget(self, key: CacheKey, waiting: asyncio.Future[None]) -> None:
        """Stop to complete a future of `released`."""
        futures = self._waiting.get(key, [])
        if waiting in futures:
            futures.remove(waiting)
        if not futures:
            self._waiting.pop(key, None)
