"""The SQLite connection: a single writer, transactions, and callbacks after a commit."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .schema import DDL, MIGRATIONS, OLDEST, VERSION

Parameters = Sequence[Any] | Mapping[str, Any]


class StoreError(Exception):
    """The database file cannot be used."""


class Database:
    """A connection that belongs to the thread that opened it.

    All access to the database goes through here, from a single event loop, so statements must be short, and never wait
    for another writer. Watchers are notified of a change only after its commit: see `after_commit`.
    """

    def __init__(self, path: Path | None) -> None:
        """Open the file. Create a new one with its tables, and upgrade an older one. None for an in-memory database.

        Raises:
            StoreError: The file is not a devbox database, or has a format version that cannot be upgraded.
        """
        self._connection = sqlite3.connect(str(path) if path else ":memory:", isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        # Unlike SQLite's own lower(), this folds all of Unicode.
        self._connection.create_function("fold", 1, _fold, deterministic=True)
        self._waiting: list[Callable[[], None]] = []
        try:
            self._prepare(path)
        except sqlite3.DatabaseError as error:
            self._connection.close()
            raise StoreError(f"{path} is not a database of the devbox: {error}") from error
        except StoreError:
            self._connection.close()
            raise

    def _prepare(self, path: Path | None) -> None:
        # In this mode, a killed process loses nothing. A power cut may lose the latest changes, which is fine for a devbox.
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.execute("PRAGMA foreign_keys = ON")
        found: int = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if found == VERSION:
            return
        if found != 0 and not OLDEST <= found < VERSION:
            raise StoreError(
                f"{path} was written by another version of the devbox (its format is {found}, this one reads {OLDEST} to "
                f"{VERSION}); start with an empty directory"
            )
        steps = [sql for number, sql in sorted(MIGRATIONS.items()) if number > found]
        script = "".join([DDL, *steps] if found == 0 else steps)
        self._connection.executescript(f"BEGIN; {script} PRAGMA user_version = {VERSION}; COMMIT;")

    def close(self) -> None:
        """Close the connection. SQLite folds the write-ahead log into the file."""
        self._connection.close()

    def rows(self, sql: str, parameters: Parameters = ()) -> list[sqlite3.Row]:
        """All rows of a query."""
        return self._connection.execute(sql, parameters).fetchall()

    def row(self, sql: str, parameters: Parameters = ()) -> sqlite3.Row | None:
        """The first row of a query, or None."""
        found: sqlite3.Row | None = self._connection.execute(sql, parameters).fetchone()
        return found

    def execute(self, sql: str, parameters: Parameters = ()) -> int:
        """Run a statement. Return the number of changed rows."""
        return self._connection.execute(sql, parameters).rowcount

    @contextmanager
    def transaction(self) -> Generator[None, None, None]:
        """Run the block in a transaction. Nested transactions join the outer one."""
        if self._connection.in_transaction:
            yield
            return
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:  # roll back after interrupts, too
            # A failed COMMIT leaves the transaction open; other errors may have ended it already.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            self._waiting.clear()
            raise
        waiting, self._waiting = self._waiting, []
        for act in waiting:
            act()

    def after_commit(self, act: Callable[[], None]) -> None:
        """Call `act` after the commit of the current transaction, or now if there is none."""
        if self._connection.in_transaction:
            self._waiting.append(act)
        else:
            act()


def _fold(text: Any) -> Any:
    return text.lower() if isinstance(text, str) else text
