"""The tables of triggers and their revisions, and of the clock that schedules follow."""

from __future__ import annotations

from attrs import astuple, evolve

from flyte.devbox import bus
from flyte.devbox.keys import TriggerKey
from flyte_api.messages.flyteidl2.task.common import TriggerAutomationSpecType
from flyte_api.messages.flyteidl2.trigger.trigger_definition import TriggerRevisionAction

from .database import Database
from .listing import Column, Kind, Listing, Query
from .rows import TriggerRevisionRow, TriggerRow, column_list, names, placeholders, read

SCHEDULE = TriggerAutomationSpecType.TYPE_SCHEDULE.name or ""

LISTING = Listing(
    {
        **{
            name: Column(name) for name in ("project", "domain", "task_name", "name", "task_version", "automation_type")
        },
        "active": Column("active", Kind.BOOLEAN),
        "deployed_at": Column("deployed_at", Kind.TIME),
        "updated_at": Column("updated_at", Kind.TIME),
    },
    "active DESC, updated_at DESC, task_name, name",
    tiebreak=("task_name", "name"),
)
REVISIONS_LISTING = Listing(
    {
        "revision": Column("revision", Kind.INTEGER),
        "deployed_at": Column("deployed_at", Kind.TIME),
        "updated_at": Column("updated_at", Kind.TIME),
        "action": Column("action", Kind.INTEGER),
    },
    "revision DESC",
)

_COLUMNS = column_list(TriggerRow)
_REVISION_COLUMNS = column_list(TriggerRevisionRow)
_THIS = "project = ? AND domain = ? AND task_name = ? AND name = ?"


class Triggers:
    """The tables of triggers. Changes are published on the bus after the commit."""

    def __init__(self, database: Database, changes: bus.Bus) -> None:
        self._database = database
        self._changes = changes

    def get(self, key: TriggerKey, *, deleted: bool = False) -> TriggerRow | None:
        """Return a trigger at its latest revision.

        Args:
            key: The trigger. Without a task name, a trigger of any task.
            deleted: Return it even if it was deleted.
        """
        sql = f"SELECT {_COLUMNS} FROM triggers WHERE project = ? AND domain = ? AND name = ?"
        parameters = [key.project, key.domain, key.name]
        if key.task:
            sql += " AND task_name = ?"
            parameters.append(key.task)
        if not deleted:
            sql += " AND deleted_at IS NULL"
        row = self._database.row(f"{sql} ORDER BY task_name LIMIT 1", parameters)
        return read(TriggerRow, row) if row else None

    def select(self, query: Query) -> list[TriggerRow]:
        """Return the triggers of one page that were not deleted."""
        query.require("deleted_at IS NULL")
        sql = f"SELECT {_COLUMNS} FROM triggers{query.condition} ORDER BY {query.order}{query.window()}"
        return [read(TriggerRow, row) for row in self._database.rows(sql, query.parameters)]

    def of_task(self, project: str, domain: str, task_name: str, task_version: str | None = None) -> list[TriggerRow]:
        """Return the triggers of a task or of one of its versions, by name."""
        query = Query(order="name")
        query.match(project=project, domain=domain, task_name=task_name)
        if task_version is not None:
            query.match(task_version=task_version)
        return self.select(query)

    def scheduled(self) -> list[TriggerRow]:
        """Return the active triggers with a schedule."""
        sql = f"SELECT {_COLUMNS} FROM triggers WHERE automation_type = ? AND active AND deleted_at IS NULL"
        return [read(TriggerRow, row) for row in self._database.rows(sql, (SCHEDULE,))]

    def revision(self, key: TriggerKey, revision: int) -> TriggerRevisionRow | None:
        """Return exactly that revision, even of a deleted trigger."""
        sql = f"SELECT {_REVISION_COLUMNS} FROM trigger_revisions WHERE {_THIS} AND revision = ?"
        row = self._database.row(sql, (*key, revision))
        return read(TriggerRevisionRow, row) if row else None

    def revisions(self, key: TriggerKey, query: Query) -> list[TriggerRevisionRow]:
        """Return one page of a trigger's revisions, the newest first. Filters and order of the query have no effect."""
        sql = (
            f"SELECT {_REVISION_COLUMNS} FROM trigger_revisions WHERE {_THIS} "
            f"ORDER BY {REVISIONS_LISTING.default_order}{query.window()}"
        )
        return [read(TriggerRevisionRow, row) for row in self._database.rows(sql, key)]

    def put(self, row: TriggerRow, action: TriggerRevisionAction) -> None:
        """Insert or replace a trigger, and add its new revision to the history."""
        same = {name: getattr(row, name) for name in names(TriggerRevisionRow) if name != "action"}
        revision = TriggerRevisionRow(action=int(action), **same)
        with self._database.transaction():
            self._database.execute(
                f"INSERT OR REPLACE INTO triggers ({_COLUMNS}) VALUES ({placeholders(TriggerRow)})", astuple(row)
            )
            self._database.execute(
                f"INSERT INTO trigger_revisions ({_REVISION_COLUMNS}) VALUES ({placeholders(TriggerRevisionRow)})",
                astuple(revision),
            )
            self._database.after_commit(lambda: self._changes.publish(bus.TRIGGERS, row.key))

    def set_active(self, row: TriggerRow, active: bool, now: int) -> None:
        """Activate or deactivate a trigger. The scheduler skips scheduled times before its activation."""
        changed = evolve(row, active=int(active), updated_at=now, scheduled_after=now, revision=row.revision + 1)
        self.put(changed, TriggerRevisionAction.ACTIVATE if active else TriggerRevisionAction.DEACTIVATE)

    def delete(self, row: TriggerRow, now: int) -> None:
        """Mark a trigger as deleted. Its revisions are kept."""
        self.put(evolve(row, active=0, deleted_at=now, revision=row.revision + 1), TriggerRevisionAction.DELETE)

    def set_triggered(self, key: TriggerKey, now: int) -> None:
        """Record the start of a run."""
        self._database.execute(f"UPDATE triggers SET triggered_at = ? WHERE {_THIS}", (now, *key))

    def set_scheduled(self, key: TriggerKey, after: int) -> None:
        """Record that no runs are to be started for scheduled times up to `after`."""
        self._database.execute(f"UPDATE triggers SET scheduled_after = ? WHERE {_THIS}", (after, *key))


class StoredClock:
    """The time by which the devbox's clock was advanced."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self) -> int:
        """Return it in microseconds."""
        row = self._database.row("SELECT advance FROM clock")
        return 0 if row is None else row[0]

    def set(self, advance: int) -> None:
        """Store it."""
        self._database.execute("UPDATE clock SET advance = ?", (advance,))
