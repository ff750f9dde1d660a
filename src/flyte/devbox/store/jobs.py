"""The executor's tables, which survive a restart: queued and running attempts, and cached outputs."""

from __future__ import annotations

from attrs import astuple

from flyte.devbox.keys import ActionKey

from .database import Database
from .rows import JobRow, column_list, placeholders, read

_COLUMNS = column_list(JobRow)
_THIS = "project = ? AND domain = ? AND run_name = ? AND name = ?"


class Jobs:
    """The table of jobs: one row per action that has not ended."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, row: JobRow) -> None:
        """Insert or replace a job."""
        self._database.execute(
            f"INSERT OR REPLACE INTO jobs ({_COLUMNS}) VALUES ({placeholders(JobRow)})", astuple(row)
        )

    def remove(self, key: ActionKey) -> None:
        """Remove the job of an ended action."""
        self._database.execute(f"DELETE FROM jobs WHERE {_THIS}", key)

    def all(self) -> list[JobRow]:
        """Return all jobs, the longest waiting first."""
        rows = self._database.rows(f"SELECT {_COLUMNS} FROM jobs ORDER BY queued_at, run_name, name")
        return [read(JobRow, row) for row in rows]


class CachedOutputs:
    """The table of outputs that later actions with the same cache key can use."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, project: str, domain: str, key: str, uri: str, now: int) -> None:
        """Store the location of the outputs for a cache key."""
        self._database.execute(
            "INSERT OR REPLACE INTO cached_outputs (project, domain, key, output_uri, created_at) VALUES (?, ?, ?, ?, ?)",
            (project, domain, key, uri, now),
        )

    def get(self, project: str, domain: str, key: str, since: int) -> str | None:
        """Return the location of the outputs for a cache key, if stored at `since` or later."""
        row = self._database.row(
            "SELECT output_uri FROM cached_outputs WHERE project = ? AND domain = ? AND key = ? AND created_at >= ?",
            (project, domain, key, since),
        )
        return None if row is None else row[0]
