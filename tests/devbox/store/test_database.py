"""Transactions of the store, and files of earlier versions."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import closing
from pathlib import Path

import pytest

from flyte.devbox.bus import Bus
from flyte.devbox.keys import ActionKey
from flyte.devbox.store import schema
from flyte.devbox.store.database import Database, StoreError
from flyte.devbox.store.store import Store


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


def written_by(version: int, path: Path) -> None:
    """Write a file of an earlier version, with a run."""
    with closing(sqlite3.connect(path)) as connection:
        steps = [sql for number, sql in sorted(schema.MIGRATIONS.items()) if number <= version]
        connection.executescript("".join([schema.DDL, *steps]))
        columns = (
            "project, domain, run_name, name, phase, action_type, action_group, action_spec, run_spec, inputs_uri, "
            "outputs_uri, attempts, cache_status, created_at, updated_at"
        )
        values = "'p', 'development', 'r1', 'a0', 5, 1, '', x'', x'', '', '', 1, 0, 10, 20"
        connection.execute(f"INSERT INTO actions ({columns}) VALUES ({values})")
        connection.execute(f"PRAGMA user_version = {version}")
        connection.commit()


def layout(path: Path) -> list[tuple[str, ...]]:
    """The tables and indexes of a file, with their columns."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(
            "SELECT objects.type, objects.name, columns.name, columns.type FROM sqlite_schema AS objects, "
            "pragma_table_xinfo(objects.name) AS columns ORDER BY objects.name, columns.name"
        ).fetchall()


@pytest.mark.parametrize("version", range(schema.OLDEST, schema.VERSION))
def test_files_of_earlier_versions_are_upgraded(version: int, tmp_path: Path) -> None:
    old, new = tmp_path / "old.sqlite", tmp_path / "new.sqlite"
    written_by(version, old)
    for _ in range(2):  # the second time, it is up to date
        store = Store(old, Bus())
        run = store.actions.get(ActionKey("p", "development", "r1", "a0"))
        assert run is not None and (run.phase, run.created_at, run.trigger_name) == (5, 10, None)
        assert store.triggers.scheduled() == [] and store.clock.get() == 0
        store.close()
    Store(new, Bus()).close()
    assert layout(old) == layout(new) != []


@pytest.mark.parametrize("version", [schema.OLDEST - 1, schema.VERSION + 1])
def test_files_of_other_versions_are_left_alone(version: int, tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {version}")
    with pytest.raises(StoreError, match=f"its format is {version}"):
        Database(path)
    assert layout(path) == []
