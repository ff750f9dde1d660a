"""The limit of concurrent streams on one connection, and the queue of those that wait for it."""

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
    """Admits as many streams as the server allows at once, and the others in their order."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._limit = frames.LAST_STREAM
        self._admitted = 0
        self._released = 0
        """How many admitted streams have ended and still count."""
        self._queue: deque[Http2Stream] = deque()

    def set_limit(self, limit: int) -> None:
        """Apply the server's limit."""
        self._limit = limit
        self._admit()

    def acquire(self, stream: Http2Stream) -> None:
        """Admit a stream now, or later and wake it then."""
        if self._admitted < self._limit and not self._queue:
            self._admitted += 1
            stream.admitted = True
        else:
            self._queue.append(stream)

    def release(self, stream: Http2Stream) -> None:
        """Note that a stream has ended or gives up waiting."""
        if stream.admitted:
            self._released += 1
            if self._released == 1:
                self._loop.call_later(_RELEASE_DELAY if 2 * self._admitted > self._limit else 0, self._admit)
        elif stream in self._queue:
            self._queue.remove(stream)

    def reject_waiting(self, reason: str) -> None:
        """Fail the waiting streams."""
        for stream in self._queue:
            stream.fail(reason, unprocessed=True)
        self._queue.clear()

    def _admit(self) -> None:
        self._admitted -= self._released
        self._released = 0
        while self._queue and self._admitted < self._limit:
            stream = self._queue.popleft()
            self._admitted += 1
            stream.admitted = True
            stream.wake()
