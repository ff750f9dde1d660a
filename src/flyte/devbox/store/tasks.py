"""The tables of deployed tasks, and of the task specs that tasks and actions share."""

from __future__ import annotations

import hashlib

from attrs import astuple

from .database import Database
from .listing import Column, Kind, Listing, Query
from .rows import TaskRow, column_list, names, placeholders, read

# Deployed triggers of a version. Queries name their table `tasks`.
_TRIGGERS = (
    "FROM triggers WHERE triggers.project = tasks.project AND triggers.domain = tasks.domain "
    "AND triggers.task_name = tasks.name AND triggers.task_version = tasks.version AND triggers.deleted_at IS NULL"
)
_LISTED = {
    **{name: Column(name) for name in ("project", "domain", "name", "version", "environment", "function_name")},
    "deployed_by": Column("deployed_by"),
    "created_at": Column("created_at", Kind.TIME),
    "updated_at": Column("updated_at", Kind.TIME),
    "trigger_name": Column(f"(SELECT CASE count(*) WHEN 1 THEN max(triggers.name) END {_TRIGGERS})", nullable=True),
    "total_triggers": Column(f"(SELECT count(*) {_TRIGGERS})", Kind.INTEGER),
    "active_triggers": Column(f"(SELECT count(*) {_TRIGGERS} AND triggers.active)", Kind.INTEGER),
    "env_description": Column("env_description"),
    "short_description": Column("short_description"),
}
LISTING = Listing(_LISTED, "created_at DESC, name", tiebreak=("name", "project"))
VERSIONS_LISTING = Listing({name: _LISTED[name] for name in ("version", "created_at")}, "created_at DESC, rowid DESC")

_COLUMNS = column_list(TaskRow)
_KEY = ("project", "domain", "name", "version")


class Tasks:
    """The tables of tasks and task specs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put_spec(self, spec: bytes) -> str:
        """Store a serialized TaskSpec. Return its digest."""
        digest = hashlib.sha256(spec).hexdigest()
        self._database.execute("INSERT INTO task_specs VALUES (?, ?) ON CONFLICT DO NOTHING", (digest, spec))
        return digest

    def spec(self, digest: str) -> bytes | None:
        """Return the serialized TaskSpec of a digest."""
        row = self._database.row("SELECT spec FROM task_specs WHERE digest = ?", (digest,))
        return None if row is None else row[0]

    def put(self, row: TaskRow) -> None:
        """Insert or overwrite a version. The time of its first deployment is kept."""
        kept = (*_KEY, "created_at")
        update = ", ".join(f"{name} = excluded.{name}" for name in names(TaskRow) if name not in kept)
        sql = (
            f"INSERT INTO tasks ({_COLUMNS}) VALUES ({placeholders(TaskRow)}) "
            f"ON CONFLICT ({', '.join(_KEY)}) DO UPDATE SET {update}"
        )
        self._database.execute(sql, astuple(row))

    def get(self, project: str, domain: str, name: str, version: str) -> TaskRow | None:
        """Return exactly that version."""
        condition = " AND ".join(f"{column} = ?" for column in _KEY)
        row = self._database.row(f"SELECT {_COLUMNS} FROM tasks WHERE {condition}", (project, domain, name, version))
        return read(TaskRow, row) if row else None

    def versions(self, query: Query) -> list[TaskRow]:
        """Return the versions of one page."""
        sql = f"SELECT {_COLUMNS} FROM tasks{query.condition} ORDER BY {query.order}{query.window()}"
        return [read(TaskRow, row) for row in self._database.rows(sql, query.parameters)]

    def newest(self, query: Query) -> list[TaskRow]:
        """Return one row per name: the newest version that matches the query."""
        rank = "row_number() OVER (PARTITION BY project, domain, name ORDER BY created_at DESC, rowid DESC) AS rank"
        sql = (
            f"SELECT {_COLUMNS} FROM (SELECT *, {rank} FROM tasks{query.condition}) AS tasks "
            f"WHERE rank = 1 ORDER BY {query.order}{query.window()}"
        )
        return [read(TaskRow, row) for row in self._database.rows(sql, query.parameters)]

    def count_names(self, query: Query) -> int:
        """Return the number of task names that match the query."""
        sql = f"SELECT count(*) FROM (SELECT DISTINCT project, domain, name FROM tasks{query.condition})"
        row = self._database.row(sql, query.parameters)
        return 0 if row is None else row[0]
