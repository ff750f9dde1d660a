"""An entity as a generated module and its overlay define one. Nothing here is run: type checkers read it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from flyte.runtime.pager import Page, Pager
from flyte.runtime.stream import Stream
from flyte.runtime.watch import Watch
from flyte.syncify import blocking, fetching, listing, streaming


class Thing:
    @fetching
    @classmethod
    async def get(cls, name: str, *, version: int | None = None) -> Self:
        return cls()

    @listing
    @classmethod
    def listall(cls, *, labels: Sequence[str] = (), limit: int | None = None) -> Pager[Self]:
        async def fetch(token: str, size: int) -> Page[Self]:
            return Page([cls()], "")

        return Pager(fetch, limit=limit, page_size=10)

    @blocking
    async def rename(self, name: str) -> bool:
        other = await Thing.get.aio(name)
        return await other.rename.aio(name)

    @blocking
    @classmethod
    async def count(cls, factor: int = 1) -> int:
        return factor

    @streaming
    def watch(self, *, timeout: float | None = None) -> Watch[Thing]:
        raise NotImplementedError

    @streaming
    @classmethod
    def logs(cls, name: str) -> Stream[str]:
        raise NotImplementedError


class Special(Thing):
    @blocking
    async def only_special(self) -> list[Special]:
        return await Special.listall(limit=1).collect.aio()
