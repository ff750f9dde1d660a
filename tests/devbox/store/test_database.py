"""Transactions of the store, and files of earlier versions."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from pathlib import Path

import pytest

from flyte.devbox.bus import Bus
from flyte.devbox.caching.catalog import CachedOutput, Catalog
from flyte.devbox.caching.reservations import CacheKey
from flyte.devbox.store.database import Database, StoreError
from flyte.devbox.store.schema import DDL, MIGRATIONS, OLDEST, VERSION
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


def old_file(path: Path, version: int) -> None:
    """Write a database as a devbox of an earlier format left it, with a project."""
    connection = sqlite3.connect(path)
    steps = "".join(sql for number, sql in sorted(MIGRATIONS.items()) if number <= version)
    connection.executescript(f"{DDL} {steps} PRAGMA user_version = {version};")
    connection.execute("INSERT INTO projects VALUES ('old', 'Old', '', NULL, 0, 1, 1)")
    connection.execute("INSERT INTO cached_outputs VALUES ('old', 'development', 'key', 'file:///x', 1)")
    connection.commit()
    connection.close()


def schema(database: Database) -> list[str]:
    """The columns of all tables."""
    return [
        f"{row['tbl']}.{row['col']} {row['type']}"
        for row in database.rows(
            "SELECT m.name AS tbl, c.name AS col, c.type AS type FROM sqlite_master m, pragma_table_info(m.name) c "
            "WHERE m.type = 'table' ORDER BY 1, 2"
        )
    ]


@pytest.mark.parametrize("version", [OLDEST, *sorted(MIGRATIONS)[:-1]])
def test_an_older_file_is_upgraded_with_its_content(tmp_path: Path, version: int) -> None:
    old_file(tmp_path / "old", version)
    for _ in range(2):
        upgraded = Store(tmp_path / "old", Bus())
        assert upgraded.database.rows("PRAGMA user_version")[0][0] == VERSION
        project = upgraded.projects.get("old")
        assert project is not None and project.name == "Old"
        assert Catalog(upgraded.database).get(CacheKey("old", "development", "key")) == CachedOutput(
            "file:///x", 1, None
        )
        new = Database(None)
        assert schema(upgraded.database) == schema(new)
        new.close()
        upgraded.close()


@pytest.mark.parametrize("version", [OLDEST - 1, VERSION + 1])
def test_a_file_of_an_unknown_format_is_refused_and_unchanged(tmp_path: Path, version: int) -> None:
    connection = sqlite3.connect(tmp_path / "other")
    connection.execute(f"PRAGMA user_version = {version}")
    connection.close()
    with pytest.raises(StoreError, match=f"its format is {version}, this one reads {OLDEST} to {VERSION}"):
        Database(tmp_path / "other")
    connection = sqlite3.connect(tmp_path / "other")
    assert connection.execute("PRAGMA user_version").fetchone() == (version,)
    connection.close()
