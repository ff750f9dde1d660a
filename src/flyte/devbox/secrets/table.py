"""The table of secrets. It stores values as it gets them; the vault encrypts them."""

from __future__ import annotations

from attrs import astuple, field, frozen

from flyte.devbox.store.database import Database
from flyte.devbox.store.rows import column_list, placeholders, read


@frozen
class SecretRow:
    """A secret. Project and domain are empty for wider scopes."""

    object_name: str
    """A hash of scope and name, which determines the order of listings."""
    project: str
    domain: str
    name: str
    value: bytes = field(repr=False)
    created_at: int
    updated_at: int


_COLUMNS = column_list(SecretRow)


class Secrets:
    """The table of secrets."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, row: SecretRow) -> bool:
        """Insert a secret. Return False if it exists."""
        sql = f"INSERT INTO secrets ({_COLUMNS}) VALUES ({placeholders(SecretRow)}) ON CONFLICT DO NOTHING"
        return self._database.execute(sql, astuple(row)) == 1

    def replace(self, object_name: str, value: bytes, now: int) -> bool:
        """Replace the value of a secret. Return False if it does not exist."""
        sql = "UPDATE secrets SET value = ?, updated_at = ? WHERE object_name = ?"
        return self._database.execute(sql, (value, now, object_name)) == 1

    def remove(self, object_name: str) -> bool:
        """Delete a secret. Return False if it does not exist."""
        return self._database.execute("DELETE FROM secrets WHERE object_name = ?", (object_name,)) == 1

    def get(self, object_name: str) -> SecretRow | None:
        """Return a secret."""
        row = self._database.row(f"SELECT {_COLUMNS} FROM secrets WHERE object_name = ?", (object_name,))
        return read(SecretRow, row) if row else None

    def select(self, project: str, domain: str, after: str, limit: int) -> list[SecretRow]:
        """Return secrets in the order of their object names.

        Args:
            project: Only secrets of this project; empty for any.
            domain: Only secrets of this domain, project-level ones included; empty for any.
            after: The object name to start after; empty for the first.
            limit: Maximum number; -1 for all.
        """
        rows = self._database.rows(
            f"SELECT {_COLUMNS} FROM secrets WHERE (? = '' OR project = ?) AND (? = '' OR domain = ?) AND object_name > ? "
            "ORDER BY object_name LIMIT ?",
            (project, project, domain, domain, after, limit),
        )
        return [read(SecretRow, row) for row in rows]

    def count(self) -> int:
        """Return the number of secrets."""
        row = self._database.row("SELECT count(*) FROM secrets")
        return 0 if row is None else int(row[0])
