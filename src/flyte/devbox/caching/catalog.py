"""The cache of outputs: a location for each key."""

from __future__ import annotations

from attrs import frozen

from flyte.devbox.store.database import Database

from .reservations import CacheKey, Reservations


@frozen
class CachedOutput:
    """Outputs in the cache."""

    uri: str
    stored_at: int
    metadata: bytes | None
    """An encoded `Metadata` of the cache service; None for outputs that an action of the devbox has stored."""


class Catalog:
    """The table of outputs that later actions with the same cache key can use, and the reservations of keys."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.reservations = Reservations()

    def put(self, key: CacheKey, output: CachedOutput) -> None:
        """Store the location of the outputs for a key."""
        sql = (
            "INSERT OR REPLACE INTO cached_outputs (project, domain, key, output_uri, created_at, metadata) "
            "VALUES (?, ?, ?, ?, ?, ?)"
        )
        self._database.execute(sql, (*key, output.uri, output.stored_at, output.metadata))

    def get(self, key: CacheKey) -> CachedOutput | None:
        """Return the outputs for a key."""
        sql = "SELECT output_uri, created_at, metadata FROM cached_outputs WHERE project = ? AND domain = ? AND key = ?"
        row = self._database.row(sql, key)
        return None if row is None else CachedOutput(*row)

    def delete(self, key: CacheKey) -> bool:
        """Forget the outputs for a key. Return False if there are none."""
        return (
            self._database.execute("DELETE FROM cached_outputs WHERE project = ? AND domain = ? AND key = ?", key) == 1
        )
