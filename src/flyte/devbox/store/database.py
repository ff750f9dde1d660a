"""The SQLite connection: one writer, transactions, and what happens after a commit."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .schema import DDL, VERSION

Parameters = Sequence[Any] | Mapping[str, Any]


class StoreError(Exception):
    """The database file cannot be used."""


class Database:
    """A connection that belongs to the thread which opened it.

    Everything the devbox stores goes through here, from its one event loop, so statements are short and never wait for
    another writer. Watchers are told of a change only after it is committed: see `after_commit`.
    """

    def __init__(self, path: Path | None) -> None:
        """Open the file, creating it with its tables when it is new; None keeps everything in memory.

        Raises:
            StoreError: The file is not a devbox database, or one of another version.
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
        # A killed process loses nothing in this mode; a power cut may lose the last moments, which suits a devbox.
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.execute("PRAGMA foreign_keys = ON")
        found: int = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if found == 0:
            self._connection.executescript(f"BEGIN; {DDL} PRAGMA user_version = {VERSION}; COMMIT;")
        elif found != VERSION:
            raise StoreError(
                f"{path} was written by another version of the devbox (its format is {found}, this one reads {VERSION}); "
                "start with an empty directory"
            )

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
        """Run a statement; returns the number of rows it changed."""
        return self._connection.execute(sql, parameters).rowcount

    @contextmanager
    def transaction(self) -> Generator[None, None, None]:
        """Make the statements of the block one change; inside another transaction, part of that one."""
        if self._connection.in_transaction:
            yield
            return
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:  # also of an interrupt nothing half-done may be kept
            # A failed COMMIT leaves the transaction open; some errors have ended it already.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            self._waiting.clear()
            raise
        waiting, self._waiting = self._waiting, []
        for act in waiting:
            act()

    def after_commit(self, act: Callable[[], None]) -> None:
        """Call `act` once the current transaction is committed, or now when there is none."""
        if self._connection.in_transaction:
            self._waiting.append(act)
        else:
            act()


def _fold(text: Any) -> Any:
    return text.lower() if isinstance(text, str) else text
