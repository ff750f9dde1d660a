"""Transactions of the store."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator

import pytest

from flyte.devbox.store.database import Database


@pytest.fixture
def database() -> Generator[Database]:
    database = Database(None)
    database.execute("CREATE TABLE parents (name TEXT PRIMARY KEY)")
    database.execute("CREATE TABLE children (parent TEXT REFERENCES parents (name) DEFERRABLE INITIALLY DEFERRED)")
    yield database
    database.close()


def test_a_failed_commit_leaves_nothing_and_the_next_transaction_is_a_whole_one(database: Database) -> None:
    told: list[str] = []
    with pytest.raises(sqlite3.IntegrityError), database.transaction():
        database.execute("INSERT INTO children VALUES ('nobody')")
        database.after_commit(lambda: told.append("never committed"))
    assert database.rows("SELECT * FROM children") == []

    with pytest.raises(RuntimeError), database.transaction():
        database.execute("INSERT INTO parents VALUES ('ann')")
        raise RuntimeError
    assert database.rows("SELECT * FROM parents") == [], "it was taken for a part of the failed transaction"

    with database.transaction():
        database.execute("INSERT INTO parents VALUES ('ann')")
        database.after_commit(lambda: told.append("committed"))
        assert told == []
    assert told == ["committed"]


def test_an_error_that_has_ended_the_transaction_is_the_error_that_is_raised(database: Database) -> None:
    with pytest.raises(RuntimeError, match="the disk is full"), database.transaction():
        database.execute("ROLLBACK")  # as SQLite itself does on some errors
        raise RuntimeError("the disk is full")
