"""The table of events: what the executor reported about each attempt."""

from __future__ import annotations

from flyte.devbox import bus, clock
from flyte.devbox.keys import ActionKey
from flyte_api.messages.flyteidl2.workflow.run_definition import ActionEvent

from .database import Database

_THIS = "project = ? AND domain = ? AND run_name = ? AND name = ?"
_MAX_EVENTS = 500


class Events:
    """The table of events. New events are published on the bus after the commit."""

    def __init__(self, database: Database, changes: bus.Bus) -> None:
        self._database = database
        self._changes = changes

    def add(self, *events: ActionEvent) -> None:
        """Append events. Events with the same attempt, phase and version as an existing one are ignored."""
        now = clock.now()
        with self._database.transaction():
            for event in events:
                key = _key(event)
                self._database.execute(
                    "INSERT INTO action_events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                    (*key, event.attempt, int(event.phase), event.version, bytes(event), now),
                )
            for key in {_key(event) for event in events}:
                self._announce(key)

    def of_action(self, key: ActionKey) -> list[ActionEvent]:
        """Return the first 500 events of an action, sorted by attempt, phase and version."""
        sql = f"SELECT event FROM action_events WHERE {_THIS} ORDER BY attempt, phase, version LIMIT {_MAX_EVENTS}"
        return [ActionEvent.parse(row[0]) for row in self._database.rows(sql, key)]

    def newest(self, key: ActionKey, attempt: int) -> ActionEvent | None:
        """Return the event of an attempt with the highest phase and version."""
        sql = f"SELECT event FROM action_events WHERE {_THIS} AND attempt = ? ORDER BY phase DESC, version DESC LIMIT 1"
        row = self._database.row(sql, (*key, attempt))
        return None if row is None else ActionEvent.parse(row[0])

    def of_attempt(
        self, key: ActionKey, attempt: int, after: tuple[int, int, int]
    ) -> list[tuple[tuple[int, int, int], ActionEvent]]:
        """Return the events of an attempt after a position, each with its position; start with (0, 0, 0)."""
        sql = (
            f"SELECT updated_at, phase, version, event FROM action_events WHERE {_THIS} AND attempt = ? "
            "AND (updated_at, phase, version) > (?, ?, ?) ORDER BY updated_at, phase, version"
        )
        rows = self._database.rows(sql, (*key, attempt, *after))
        return [((row[0], row[1], row[2]), ActionEvent.parse(row[3])) for row in rows]

    def _announce(self, key: ActionKey) -> None:
        def tell() -> None:
            self._changes.publish(bus.events_of(key), key)
            self._changes.publish(bus.actions_of(key.run_key), key)

        self._database.after_commit(tell)


def _key(event: ActionEvent) -> ActionKey:
    if event.id is None:
        raise ValueError("an event must name its action")
    return ActionKey.of(event.id)
