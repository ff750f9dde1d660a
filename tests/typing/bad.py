"""Errors that type checkers must report: on every line that ends in `# wrong`, and on no other line."""

from __future__ import annotations

from things import Special, Thing

import flyte
from flyte.remote import App, Run, Task
from flyte_rpc.sync.decorators import blocking

thing = Thing.get("a")

Thing.get()  # wrong
Thing.get(3)  # wrong
Thing.get("a", 3)  # wrong
Thing.get("a", version="2")  # wrong
Thing.get("a", vresion=2)  # wrong
Thing.listall(3)  # wrong
Thing.listall(limit="3")  # wrong
thing.rename()  # wrong
thing.rename(3)  # wrong
Thing.rename("a")  # wrong
Thing.count("2")  # wrong
thing.watch(5)  # wrong
Thing.logs(5)  # wrong
thing.only_special()  # wrong
Thing.measure("a")  # wrong
Thing.measure(3, 1)  # wrong
Special.measure("a", 1).rename()  # wrong
thing.measure(3, 1)  # wrong
thing.tag()  # wrong
thing.tag("a")  # wrong
Thing.tag({})  # wrong
Thing.tag(thing, {}, 1)  # wrong
Thing.combine(3)  # wrong
Special.made(1)  # wrong
Thing.events(3)  # wrong
Thing.events("a", 3)  # wrong
thing.events(about="b")  # wrong
Thing.changes("a", 1)  # wrong
narrower: Special = Thing.get("a")  # wrong
text: str = thing.rename("b")  # wrong
items: list[Special] = Thing.listall().collect()  # wrong


async def awaiting() -> None:
    await Thing.get("a")  # wrong
    await Thing.get.aio(3)  # wrong
    await thing.rename.aio(name=3)  # wrong
    await Thing.measure.aio("a")  # wrong
    await thing.tag.aio("a")  # wrong
    await Special.combine.aio(thing)  # wrong
    awaited: str = await thing.rename.aio("b")  # wrong
    print(awaited)
    async for _ in Thing.get("a"):  # wrong
        pass


class More(Thing):
    @blocking
    @classmethod
    async def use(cls) -> None:
        await cls.count.aio("2")  # wrong
        await cls.count.aio(cls, 2)  # wrong
        await cls.measure.aio(3, 1)  # wrong
        await cls.rename.aio("a")  # wrong
        cls.events(3)  # wrong
        await cls.get.aio(3)  # wrong
        found: Special = cls.get("a")  # wrong
        print(found)

    @blocking
    async def use_self(self) -> None:
        await self.count.aio("2")  # wrong
        await self.measure.aio("a")  # wrong
        await self.tag.aio(3)  # wrong
        self.changes(1, 2)  # wrong


# A task needs a version.
Task.get("train.model")  # wrong
Task.get("train.model", "p", "d")  # wrong
Task.get("train.model", auto_version="newest")  # wrong
Task.get("train.model", version="1", auto_version="latest")  # wrong

# Names of phases, and collections of them.
Run.listall(in_phase=("sucess",))  # wrong
Run.listall(in_phase="failed")  # wrong
Run.listall(("SUCCEEDED",))  # wrong
App.listall(in_status=("activ",))  # wrong
flyte.run(Task.get("train.model", version="1"), 3)  # wrong
