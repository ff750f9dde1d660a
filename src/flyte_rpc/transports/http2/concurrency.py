"""Whose turn it is: how many calls a server takes at once on one connection, and who waits to be one of them."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from . import frames

if TYPE_CHECKING:
    from .stream import Exchange

_ROOM_AFTER = 0.002
"""Seconds until a call that has ended makes room for another one, where room is scarce.

Servers count a call until they have got around to forgetting it, which may be after the client has read its end. They
refuse calls that come before.
"""


class Turns:
    """Lets as many exchanges begin as the server takes at once, the others after them in their order."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._most = frames.LAST_STREAM
        self._admitted = 0
        self._left = 0
        """How many of those admitted have ended and still count."""
        self._queue: deque[Exchange] = deque()

    def limit(self, most: int) -> None:
        """Take the server's limit."""
        self._most = most
        self._admit()

    def enter(self, exchange: Exchange) -> None:
        """Admit an exchange now, or wake it when it is admitted."""
        if self._admitted < self._most and not self._queue:
            self._admitted += 1
            exchange.admitted = True
        else:
            self._queue.append(exchange)

    def leave(self, exchange: Exchange) -> None:
        """An exchange has ended, or waits no more."""
        if exchange.admitted:
            self._left += 1
            if self._left == 1:
                self._loop.call_later(_ROOM_AFTER if 2 * self._admitted > self._most else 0, self._admit)
        elif exchange in self._queue:
            self._queue.remove(exchange)

    def turn_away(self, reason: str) -> None:
        """Fail those that wait."""
        for exchange in self._queue:
            exchange.fail(reason, unprocessed=True)
        self._queue.clear()

    def _admit(self) -> None:
        self._admitted -= self._left
        self._left = 0
        while self._queue and self._admitted < self._most:
            exchange = self._queue.popleft()
            self._admitted += 1
            exchange.admitted = True
            exchange.wake()
