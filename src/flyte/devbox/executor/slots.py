"""Limits the number of concurrent actions."""

from __future__ import annotations

import asyncio
from collections import Counter, deque

from flyte.devbox.keys import ActionKey


class Slots:
    """A first-in, first-out queue for a limited number of slots.

    An action with unfinished children gives its slot back. It waits for its children, which could otherwise wait for
    its slot forever.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._running: set[ActionKey] = set()
        self._children: Counter[ActionKey] = Counter()
        self._waiting: deque[tuple[ActionKey, asyncio.Future[None]]] = deque()

    @property
    def full(self) -> bool:
        """Whether a new action has to wait."""
        return self._busy() >= self._limit or any(not turn.done() for _, turn in self._waiting)

    def ask(self, key: ActionKey) -> asyncio.Future[None]:
        """Queue for a slot. The future is done when the action has one; cancel it to leave the queue."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((key, turn))
        self._admit()
        return turn

    def leave(self, key: ActionKey) -> None:
        """Give the slot back, if the action has one."""
        self._running.discard(key)
        self._admit()

    def child_added(self, parent: ActionKey) -> None:
        """Record that a child of the action has started."""
        self._children[parent] += 1
        self._admit()

    def child_ended(self, parent: ActionKey) -> None:
        """Record that a child of the action has ended."""
        self._children[parent] -= 1
        if not self._children[parent]:
            del self._children[parent]

    def _busy(self) -> int:
        return sum(1 for key in self._running if key not in self._children)

    def _admit(self) -> None:
        while self._waiting and self._busy() < self._limit:
            key, turn = self._waiting.popleft()
            if not turn.done():
                self._running.add(key)
                turn.set_result(None)
