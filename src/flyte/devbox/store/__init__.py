"""What the devbox remembers, in SQLite: schema, connection, and one class per table."""

from __future__ import annotations

from pathlib import Path

from flyte.devbox.bus import Bus
from flyte.devbox.store.actions import Actions
from flyte.devbox.store.database import Database, StoreError
from flyte.devbox.store.events import Events
from flyte.devbox.store.jobs import CachedOutputs, Jobs
from flyte.devbox.store.projects import Projects
from flyte.devbox.store.rows import ActionRow, JobRow, ProjectRow, TaskRow
from flyte.devbox.store.tasks import Tasks

__all__ = ["ActionRow", "JobRow", "ProjectRow", "Store", "StoreError", "TaskRow"]


class Store:
    """The database and its tables."""

    def __init__(self, path: Path | None, news: Bus) -> None:
        """Open the database file, or one in memory.

        Raises:
            StoreError: The file cannot be used.
        """
        self.database = Database(path)
        self.projects = Projects(self.database)
        self.tasks = Tasks(self.database)
        self.actions = Actions(self.database, news)
        self.events = Events(self.database, news)
        self.jobs = Jobs(self.database)
        self.cached_outputs = CachedOutputs(self.database)

    def close(self) -> None:
        """Close the database."""
        self.database.close()
