"""The limit of concurrent streams on one connection, and the queues of those that wait for it."""

from __future__ import annotations

import asyncio
from collections import deque

from . import frames
from .stream import Http2Stream

_RELEASE_DELAY = 0.002
"""Seconds between the end of a stream and the next admission, when most of the limit is in use.

A server may count a stream a little longer than its client does, and refuses streams that come too early.
"""


class StreamLimiter:
    """Admits as many streams as the server allows at once, and the others in their order.

    Long streams, such as watches, leave a tenth of the limit to calls with one reply, so that they never block those.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._limit = self._limit_of_long = frames.LAST_STREAM
        self._admitted = 0
        self._released = 0
        """How many admitted streams have ended and still count."""
        self._short: deque[Http2Stream] = deque()
        self._long: deque[Http2Stream] = deque()

    @property
    def load(self) -> int:
        """How many streams are open or waiting."""
        return self._admitted - self._released + len(self._short) + len(self._long)

    def has_room(self, *, long: bool) -> bool:
        """Whether a stream would be admitted now."""
        return not (self._long if long else self._short) and self._admitted < self._limit_for(long=long)

    def set_limit(self, limit: int) -> None:
        """Apply the server's limit."""
        self._limit = limit
        self._limit_of_long = limit if limit < 2 else limit - max(1, limit // 10)
        self._admit()

    def acquire(self, stream: Http2Stream) -> None:
        """Admit a stream now, or later and wake it then."""
        if self.has_room(long=stream.long):
            self._admitted += 1
            stream.admitted = True
        else:
            (self._long if stream.long else self._short).append(stream)

    def release(self, stream: Http2Stream) -> None:
        """Note that a stream has ended or gives up waiting."""
        if stream.admitted:
            self._released += 1
            if self._released == 1:
                self._loop.call_later(_RELEASE_DELAY if 2 * self._admitted > self._limit else 0, self._admit)
            return
        queue = self._long if stream.long else self._short
        if stream in queue:
            queue.remove(stream)

    def reject_waiting(self, reason: str) -> None:
        """Fail the waiting streams."""
        for queue in (self._short, self._long):
            for stream in queue:
                stream.fail(reason, unprocessed=True)
            queue.clear()

    def _limit_for(self, *, long: bool) -> int:
        return self._limit_of_long if long else self._limit

    def _admit(self) -> None:
        self._admitted -= self._released
        self._released = 0
        for queue, limit in ((self._short, self._limit), (self._long, self._limit_of_long)):
            while queue and self._admitted < limit:
                stream = queue.popleft()
                self._admitted += 1
                stream.admitted = True
                stream.wake()
