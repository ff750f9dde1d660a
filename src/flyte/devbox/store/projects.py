"""The table of projects."""

from __future__ import annotations

from attrs import astuple

from .database import Database
from .listing import Query
from .rows import ProjectRow, column_list, placeholders, read

_COLUMNS = column_list(ProjectRow)


class Projects:
    """The table of projects."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, row: ProjectRow) -> bool:
        """Insert a project. Return False if its id is taken."""
        sql = f"INSERT INTO projects ({_COLUMNS}) VALUES ({placeholders(ProjectRow)}) ON CONFLICT DO NOTHING"
        return self._database.execute(sql, astuple(row)) == 1

    def replace(self, row: ProjectRow) -> bool:
        """Replace all but id and creation time. Return False if the project does not exist."""
        sql = (
            "UPDATE projects SET name = ?, description = ?, labels = ?, state = ?, updated_at = ? WHERE identifier = ?"
        )
        values = (row.name, row.description, row.labels, row.state, row.updated_at, row.identifier)
        return self._database.execute(sql, values) == 1

    def get(self, identifier: str) -> ProjectRow | None:
        """Return the project with that id, even if it is archived."""
        row = self._database.row(f"SELECT {_COLUMNS} FROM projects WHERE identifier = ?", (identifier,))
        return read(ProjectRow, row) if row else None

    def select(self, query: Query) -> list[ProjectRow]:
        """Return the projects of one page."""
        sql = f"SELECT {_COLUMNS} FROM projects{query.condition} ORDER BY {query.order}{query.window()}"
        return [read(ProjectRow, row) for row in self._database.rows(sql, query.parameters)]
