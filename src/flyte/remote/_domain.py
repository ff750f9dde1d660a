"""Domains."""

from __future__ import annotations

from collections.abc import Iterator

from flyte_api.entities.domain import DomainBase


class Domain(DomainBase):
    """A domain: a stage such as development or production, which every project of an organization has."""

    def _shown(self) -> Iterator[tuple[str, object]]:
        yield from (("id", self.id), ("name", self.name))
