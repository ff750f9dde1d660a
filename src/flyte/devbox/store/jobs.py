"""The executor's table of queued and running attempts, which survives a restart."""

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
