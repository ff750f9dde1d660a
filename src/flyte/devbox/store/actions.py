"""The table of actions. A run is an action without a parent."""

from __future__ import annotations

from attrs import astuple

from flyte.devbox import bus, clock, phases
from flyte.devbox.keys import ActionKey, RunKey
from flyte_api.messages.flyteidl2.common.phase import ActionPhase
from flyte_api.messages.google.protobuf.timestamp import Timestamp

from .database import Database
from .listing import Column, Kind, Listing, Query
from .rows import ActionRow, column_list, placeholders, read

_LISTED = {
    **{name: Column(name) for name in ("project", "domain", "run_name")},
    "phase": Column("phase", Kind.INTEGER),
    "action_type": Column("action_type", Kind.INTEGER),
    "created_at": Column("created_at", Kind.TIME),
    "updated_at": Column("updated_at", Kind.TIME),
    "ended_at": Column("ended_at", Kind.TIME, nullable=True),
    "duration_ms": Column("duration_ms", Kind.INTEGER, nullable=True),
    "trigger_revision": Column("trigger_revision", Kind.INTEGER, nullable=True),
    **{
        name: Column(name, nullable=True)
        for name in (
            "run_source",
            "created_by_subject",
            "trigger_task_name",
            "trigger_name",
            "task_project",
            "task_domain",
            "task_name",
            "task_version",
            "function_name",
        )
    },
}
LISTING = Listing(_LISTED, "phase ASC, created_at DESC, run_name DESC, name DESC", tiebreak=("run_name", "name"))

_COLUMNS = column_list(ActionRow)
_THIS = "project = ? AND domain = ? AND run_name = ? AND name = ?"
_THIS_RUN = "project = ? AND domain = ? AND run_name = ?"


def require_root(query: Query) -> None:
    """Restrict a query to root actions (runs)."""
    query.require("parent IS NULL")


def require_paused(query: Query) -> None:
    """Restrict a query to runs with an action that waits for a signal."""
    query.require(
        "EXISTS (SELECT 1 FROM actions AS paused WHERE paused.phase = ? AND paused.project = actions.project "
        "AND paused.domain = actions.domain AND paused.run_name = actions.run_name)",
        int(ActionPhase.PAUSED),
    )


def require_created(query: Query, start: Timestamp | None, end: Timestamp | None) -> None:
    """Restrict a query to actions created from `start` to `end`, both inclusive; None for no bound."""
    if start is not None:
        query.require("created_at >= ?", clock.from_timestamp(start))
    if end is not None:
        query.require("created_at <= ?", clock.from_timestamp(end))


def newest_runs(limit: int) -> Query:
    """Return a query for the newest runs."""
    query = Query(order="created_at DESC, run_name", limit=limit)
    require_root(query)
    return query


class Actions:
    """The table of actions. Changes are published on the bus after the commit."""

    def __init__(self, database: Database, changes: bus.Bus) -> None:
        self._database = database
        self._changes = changes

    def add(self, row: ActionRow) -> bool:
        """Insert an action. Return False and change nothing if it exists."""
        sql = f"INSERT INTO actions ({_COLUMNS}) VALUES ({placeholders(ActionRow)}) ON CONFLICT DO NOTHING"
        added = self._database.execute(sql, astuple(row)) == 1
        if added:
            self.announce(row.key, row.parent)
        return added

    def get(self, key: ActionKey) -> ActionRow | None:
        """Return the action with that id."""
        row = self._database.row(f"SELECT {_COLUMNS} FROM actions WHERE {_THIS}", key)
        return read(ActionRow, row) if row else None

    def root(self, run: RunKey) -> ActionRow | None:
        """Return the root action of a run, whatever its name."""
        row = self._database.row(f"SELECT {_COLUMNS} FROM actions WHERE {_THIS_RUN} AND parent IS NULL", run)
        return read(ActionRow, row) if row else None

    def select(self, query: Query, extra: int = 0) -> list[ActionRow]:
        """Return the actions of one page, and up to `extra` more."""
        sql = f"SELECT {_COLUMNS} FROM actions{query.condition} ORDER BY {query.order}{query.window(extra)}"
        return [read(ActionRow, row) for row in self._database.rows(sql, query.parameters)]

    def of_run(self, run: RunKey, *, limit: int, offset: int = 0) -> list[ActionRow]:
        """Return actions of a run, the oldest first."""
        sql = f"SELECT {_COLUMNS} FROM actions WHERE {_THIS_RUN} ORDER BY created_at, name LIMIT ? OFFSET ?"
        return [read(ActionRow, row) for row in self._database.rows(sql, (*run, limit, offset))]

    def children(self, parent: ActionKey) -> list[ActionRow]:
        """Return the direct children of an action, the oldest first."""
        sql = f"SELECT {_COLUMNS} FROM actions WHERE {_THIS_RUN} AND parent = ? ORDER BY created_at, name"
        return [read(ActionRow, row) for row in self._database.rows(sql, (*parent.run_key, parent.name))]

    def descendants(self, key: ActionKey) -> list[ActionRow]:
        """Return all descendants of an action, parents first."""
        sql = (
            "WITH RECURSIVE below (child, depth) AS ("
            f"SELECT name, 1 FROM actions WHERE {_THIS_RUN} AND parent = ? UNION "
            f"SELECT name, depth + 1 FROM actions JOIN below ON parent = child WHERE {_THIS_RUN}) "
            f"SELECT {_COLUMNS} FROM actions JOIN below ON name = child WHERE {_THIS_RUN} ORDER BY depth, created_at, name"
        )
        run = key.run_key
        return [read(ActionRow, row) for row in self._database.rows(sql, (*run, key.name, *run, *run))]

    def update_status(
        self,
        key: ActionKey,
        phase: int,
        *,
        attempts: int,
        cache_status: int,
        started_at: int | None = None,
        ended_at: int | None = None,
        abort_reason: str | None = None,
    ) -> None:
        """Record a status report, unless it is stale; see `phases.may_follow`. Unknown actions are ignored.

        The first end time is kept, even after a retry. A start time can only move the creation time back.
        """
        current = self.get(key)
        if current is None:
            return
        if not phases.may_follow(current.phase, phase):
            # Watchers of runs are notified of every report on a root action, even without effect.
            if current.parent is None:
                self._database.after_commit(lambda: self._changes.publish(bus.RUNS, key.run_key))
            return
        now = clock.now()
        if ended_at is None and phases.is_terminal(phase):
            ended_at = now
        if current.ended_at is not None:
            ended_at = current.ended_at
        created_at = current.created_at if started_at is None else min(current.created_at, started_at)
        duration = None if ended_at is None else round((ended_at - created_at) / 1000)
        self._database.execute(
            "UPDATE actions SET phase = ?, attempts = ?, cache_status = ?, created_at = ?, ended_at = ?, duration_ms = ?, "
            f"abort_reason = coalesce(?, abort_reason), updated_at = ? WHERE {_THIS}",
            (phase, attempts, cache_status, created_at, ended_at, duration, abort_reason, now, *key),
        )
        self.announce(key, current.parent)

    def set_aborted(self, key: ActionKey, reason: str) -> None:
        """Mark an action as aborted, whatever its phase. The first end time is kept."""
        current = self.get(key)
        if current is None:
            return
        now = clock.now()
        ended_at = now if current.ended_at is None else current.ended_at
        self._database.execute(
            "UPDATE actions SET phase = ?, abort_reason = ?, ended_at = ?, duration_ms = ?, updated_at = ? "
            f"WHERE {_THIS}",
            (int(ActionPhase.ABORTED), reason, ended_at, round((ended_at - current.created_at) / 1000), now, *key),
        )
        self.announce(key, current.parent)

    def set_signal(self, key: ActionKey, output: bytes | None, principal: bytes | None) -> bool:
        """Store the signalled value of a condition, and the caller. Return False for an unknown action."""
        sql = (
            "UPDATE actions SET signal_output = coalesce(?, signal_output), "
            f"signal_principal = coalesce(?, signal_principal) WHERE {_THIS}"
        )
        return self._database.execute(sql, (output, principal, *key)) == 1

    def announce(self, key: ActionKey, parent: str | None) -> None:
        """Notify watchers of a changed action after the commit."""

        def tell() -> None:
            self._changes.publish(bus.events_of(key), key)
            self._changes.publish(bus.actions_of(key.run_key), key)
            self._changes.publish(bus.updates_of(key), key)
            if parent is None:
                self._changes.publish(bus.RUNS, key.run_key)
            else:
                self._changes.publish(bus.updates_of(key.sibling(parent)), key)

        self._database.after_commit(tell)
