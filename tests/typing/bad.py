"""Mistakes that type checkers must see. Each is on a line that ends in `# wrong`, and no other line may be one."""

from __future__ import annotations

from things import Special, Thing

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
narrower: Special = Thing.get("a")  # wrong
text: str = thing.rename("b")  # wrong
items: list[Special] = Thing.listall().collect()  # wrong


async def awaiting() -> None:
    await Thing.get("a")  # wrong
    await Thing.get.aio(3)  # wrong
    await thing.rename.aio(name=3)  # wrong
    awaited: str = await thing.rename.aio("b")  # wrong
    print(awaited)
    async for _ in Thing.get("a"):  # wrong
        pass
