"""Publish and subscribe inside the process: watchers are notified of changes after they are committed."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Hashable
from contextlib import contextmanager
from typing import Any, Final, Generic, TypeVar

from attrs import frozen

from .keys import ActionKey, RunKey

T = TypeVar("T", bound=Hashable)


@frozen
class Topic(Generic[T]):
    """Something that can be watched. Its notifications are values of T that name what changed."""

    name: str
    about: Hashable = None


RUNS: Final = Topic[RunKey]("runs")
"""Runs that were created, or whose root action changed."""


def actions_of(run: RunKey) -> Topic[ActionKey]:
    """Actions of a run that were recorded or changed."""
    return Topic("actions", run)


def updates_of(parent: ActionKey) -> Topic[ActionKey]:
    """An action and its direct children: what the controller inside the action waits for."""
    return Topic("updates", parent)


def events_of(action: ActionKey) -> Topic[ActionKey]:
    """One action: its row or its event log."""
    return Topic("action", action)


def log_of(action: ActionKey, attempt: int) -> Topic[None]:
    """The log of one attempt: it has new lines, or was closed."""
    return Topic("log", (action, attempt))


class Subscription(Generic[T]):
    """What changed since the last look. Changes of the same thing fall together: a watcher reads the current state."""

    def __init__(self) -> None:
        self._changed: dict[T, None] = {}
        self._wake = asyncio.Event()

    def notify(self, item: T) -> None:
        """Note that `item` changed."""
        self._changed[item] = None
        self._wake.set()

    async def changes(self) -> list[T]:
        """Wait until something changed; returns all of it, in the order of first mention."""
        await self._wake.wait()
        self._wake.clear()
        changed, self._changed = list(self._changed), {}
        return changed


class Bus:
    """Publishes changes by topic. It lives on the event loop of the server."""

    def __init__(self) -> None:
        self._subscriptions: dict[Topic[Any], set[Subscription[Any]]] = {}

    def publish(self, topic: Topic[T], item: T) -> None:
        """Notify the subscribers of a topic that `item` changed."""
        for subscription in self._subscriptions.get(topic, ()):
            subscription.notify(item)

    @contextmanager
    def subscribe(self, topic: Topic[T]) -> Generator[Subscription[T], None, None]:
        """Collect the changes of a topic for as long as the block runs."""
        subscription = Subscription[T]()
        subscribers = self._subscriptions.setdefault(topic, set())
        subscribers.add(subscription)
        try:
            yield subscription
        finally:
            subscribers.discard(subscription)
            if not subscribers:
                self._subscriptions.pop(topic, None)
