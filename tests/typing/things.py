"""An entity as a generated module and its overlay define one. Nothing here is run: type checkers read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self, assert_type

from flyte_rpc.entities.listing import listing
from flyte_rpc.entities.pager import Page, Pager
from flyte_rpc.entities.stream import Stream
from flyte_rpc.entities.watch import Watch
from flyte_rpc.sync.decorators import blocking, fetching, streaming


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

    @blocking
    @classmethod
    async def measure(cls, name: str, value: Any, /, **more: Any) -> dict[str, Any]:
        return {name: value, **more}

    @blocking
    async def tag(self, tags: Mapping[str, Any], *, note: Any = None) -> list[Any]:
        return [tags, note]

    @blocking
    @classmethod
    async def combine(cls, things: Sequence[Thing] = ()) -> Any:
        return things

    @streaming
    def watch(self, *, timeout: float | None = None) -> Watch[Thing]:
        raise NotImplementedError

    @streaming
    @classmethod
    def logs(cls, name: str) -> Stream[str]:
        raise NotImplementedError

    @streaming
    @classmethod
    def events(cls, name: str, about: Mapping[str, Any] | None = None) -> Stream[Any]:
        raise NotImplementedError

    @streaming
    def changes(self, about: Any = None) -> Watch[dict[str, Any]]:
        raise NotImplementedError

    # What is below uses `cls` and `self`, which stand for a class that is yet to be known.

    @fetching
    @classmethod
    async def made(cls, /, **fields: Any) -> Self:
        assert_type(await cls.count.aio(2), int)
        assert_type(await cls.measure.aio("a", 1, unit="m"), dict[str, Any])
        assert_type(await cls.combine.aio(), Any)
        assert_type(cls.count(factor=2), int)
        assert_type(cls.measure("a", 1), dict[str, Any])
        assert_type(cls.logs("a"), Stream[str])
        assert_type(cls.events.aio("a", {}), Stream[Any])
        assert_type(cls.listall(limit=1), Pager[Self])
        assert_type(await cls.listall.aio().collect.aio(), list[Self])
        assert_type(await cls.get.aio("a"), Self)
        assert_type(await cls.get("a").tag.aio({}), list[Any])
        return cls.get("a", version=2)


class Special(Thing):
    @blocking
    async def only_special(self) -> list[Special]:
        assert_type(await self.count.aio(2), int)
        assert_type(await self.measure.aio("a", 1), dict[str, Any])
        assert_type(await self.tag.aio({}, note=1), list[Any])
        assert_type(await self.rename.aio("a"), bool)
        assert_type(self.events("a"), Stream[Any])
        assert_type(self.changes(), Watch[dict[str, Any]])
        return await Special.listall(limit=1).collect.aio()

    @listing
    @classmethod
    def all_special(cls, *, about: Any = None) -> Pager[Self]:
        assert_type(cls.events("a"), Stream[Any])
        return cls.listall(limit=1)

    @blocking
    @classmethod
    async def weigh(cls, name: str) -> dict[str, Any]:
        assert_type(await cls.count.aio(), int)
        special: Special = await cls.made.aio(name=name)
        return await cls.measure.aio(name, special)

    @blocking
    async def compare(self, other: Self) -> bool:
        assert_type(await self.get.aio("a"), Self)
        assert_type(self.listall(), Pager[Self])
        return await other.tag.aio({}) == await self.tag.aio({})
