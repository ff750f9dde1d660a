"""The devbox's database: the connection, and one class per table."""

from __future__ import annotations

from pathlib import Path

from flyte.devbox.bus import Bus

from .actions import Actions
from .database import Database
from .events import Events
from .jobs import Jobs
from .projects import Projects
from .tasks import Tasks
from .triggers import StoredClock, Triggers


class Store:
    """The database and its tables."""

    def __init__(self, path: Path | None, changes: Bus) -> None:
        """Open the database file, or an in-memory database.

        Raises:
            StoreError: The file cannot be used.
        """
        self.database = Database(path)
        self.projects = Projects(self.database)
        self.tasks = Tasks(self.database)
        self.actions = Actions(self.database, changes)
        self.events = Events(self.database, changes)
        self.jobs = Jobs(self.database)
        self.triggers = Triggers(self.database, changes)
        self.clock = StoredClock(self.database)

    def close(self) -> None:
        """Close the database."""
        self.database.close()
