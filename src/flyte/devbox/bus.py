"""Publish and subscribe inside the process: watchers are notified of changes after they are committed."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Hashable
from contextlib import contextmanager
from typing import Any, Final, Generic, TypeVar

from attrs import frozen

from .keys import ActionKey, RunKey, TriggerKey

T = TypeVar("T", bound=Hashable)


@frozen
class Topic(Generic[T]):
    """A topic to subscribe to. Its notifications are values of T, which identify what changed."""

    name: str
    about: Hashable = None


RUNS: Final = Topic[RunKey]("runs")
"""New runs, and runs with a changed root action."""

TRIGGERS: Final = Topic[TriggerKey | None]("triggers")
"""New and changed triggers; None if their clock was advanced. The start of a run is not a change."""


def actions_of(run: RunKey) -> Topic[ActionKey]:
    """New and changed actions of a run."""
    return Topic("actions", run)


def updates_of(parent: ActionKey) -> Topic[ActionKey]:
    """Changes of an action and its direct children, for the controller inside the action."""
    return Topic("updates", parent)


def events_of(action: ActionKey) -> Topic[ActionKey]:
    """Changes of one action's row or event log."""
    return Topic("action", action)


def log_of(action: ActionKey, attempt: int) -> Topic[None]:
    """New lines in the log of one attempt, or its end."""
    return Topic("log", (action, attempt))


class Subscription(Generic[T]):
    """Changes since the last call of `changes`, deduplicated, because watchers read the current state."""

    def __init__(self) -> None:
        self._changed: dict[T, None] = {}
        self._wake = asyncio.Event()

    def notify(self, item: T) -> None:
        """Record that `item` changed."""
        self._changed[item] = None
        self._wake.set()

    async def changes(self) -> list[T]:
        """Wait for a change, and return all changed items in the order of their first notification."""
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
        """Collect the changes of a topic while the block runs."""
        subscription = Subscription[T]()
        subscribers = self._subscriptions.setdefault(topic, set())
        subscribers.add(subscription)
        try:
            yield subscription
        finally:
            subscribers.discard(subscription)
            if not subscribers:
                self._subscriptions.pop(topic, None)
