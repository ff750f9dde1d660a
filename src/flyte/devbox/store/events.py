"""Access to the event log: what the executor reported about each attempt."""

from __future__ import annotations

from flyte.devbox import bus, clock
from flyte.devbox.keys import ActionKey
from flyte_api.messages.flyteidl2.workflow.run_definition import ActionEvent

from .database import Database

_THIS = "project = ? AND domain = ? AND run_name = ? AND name = ?"
_MAX_EVENTS = 500


class Events:
    """The table of events. New ones are announced on the bus once they are committed."""

    def __init__(self, database: Database, changes: bus.Bus) -> None:
        self._database = database
        self._changes = changes

    def add(self, *events: ActionEvent) -> None:
        """Append events; one that is there already (same attempt, phase and version) is ignored."""
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
        """The events of an action by attempt, phase and version; at most the first 500."""
        sql = f"SELECT event FROM action_events WHERE {_THIS} ORDER BY attempt, phase, version LIMIT {_MAX_EVENTS}"
        return [ActionEvent.parse(row[0]) for row in self._database.rows(sql, key)]

    def newest(self, key: ActionKey, attempt: int) -> ActionEvent | None:
        """The event of an attempt with the highest phase and version."""
        sql = f"SELECT event FROM action_events WHERE {_THIS} AND attempt = ? ORDER BY phase DESC, version DESC LIMIT 1"
        row = self._database.row(sql, (*key, attempt))
        return None if row is None else ActionEvent.parse(row[0])

    def of_attempt(
        self, key: ActionKey, attempt: int, after: tuple[int, int, int]
    ) -> list[tuple[tuple[int, int, int], ActionEvent]]:
        """Events of an attempt recorded after a position, each with its own position; start at (0, 0, 0)."""
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
