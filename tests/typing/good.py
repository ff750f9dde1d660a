"""What editors must know about blocking and awaiting methods. Checked by mypy and pyright, in their strict modes."""

from __future__ import annotations

from collections.abc import Coroutine
from datetime import date, timedelta
from typing import Any, assert_type

from things import Special, Thing

import flyte
from flyte.models import ActionPhase, DeploymentStatus
from flyte.remote import Action, App, Artifact, ArtifactGroup, Domain, PartitionSchema, Project, Run, Task, Trigger
from flyte.remote._task import LazyEntity
from flyte_api.messages.flyteidl2.common.identifier import ActionIdentifier
from flyte_rpc.calls.client import Client
from flyte_rpc.entities.pager import Pager
from flyte_rpc.entities.stream import Stream
from flyte_rpc.entities.watch import Watch

special = Special.get("a", version=2)

# The class that a method is called on is what it returns.
assert_type(special, Special)
assert_type(Thing.get("a"), Thing)
assert_type(special.get("b"), Special)
assert_type(Special.listall(labels=["x"]), Pager[Special])
assert_type(Special.listall.aio(limit=3), Pager[Special])
assert_type(Special.listall().first(), Special | None)
assert_type(Special.listall().collect(), list[Special])

# Results of their own, on instances and on classes.
assert_type(special.rename("c"), bool)
assert_type(Special.rename(special, "c"), bool)
assert_type(Special.count(), int)
assert_type(special.count(2), int)
assert_type(special.only_special(), list[Special])

# With Any among the parameters, or in the result: all else is still known.
assert_type(Thing.measure("a", 1, unit="m"), dict[str, Any])
assert_type(special.measure("a", 1), dict[str, Any])
assert_type(special.tag({"a": 1}, note=2), list[Any])
assert_type(Special.tag(special, {}), list[Any])
assert_type(Special.combine([special]), Any)
assert_type(Special.weigh("a"), dict[str, Any])
assert_type(Special.made(size=1), Special)
assert_type(special.made(), Special)
assert_type(special.compare(special), bool)
assert_type(Special.all_special(about=1), Pager[Special])
assert_type(Special.events("a", {"b": 1}), Stream[Any])
assert_type(special.events("a"), Stream[Any])
assert_type(special.changes(1), Watch[dict[str, Any]])
assert_type(Special.changes(special), Watch[dict[str, Any]])

# With parameters of any name, and methods that a class borrows from another one.
assert_type(Artifact.get("a", region="us"), Artifact)
assert_type(Artifact.listall("a", region=["us"]), Pager[Artifact])
assert_type(Artifact.list_names("a"), Pager[ArtifactGroup])
assert_type(Artifact.declare("a", {"region": str}), PartitionSchema)
assert_type(Artifact.partition_values("a", "region", date=date(2026, 8, 1)), list[str | date])

# A task with a version, and phases by member and by name.
assert_type(Task.get("t", version="1"), LazyEntity)
assert_type(Task.get("t", "p", "d", "1"), LazyEntity)
assert_type(Task.get("t", auto_version="latest"), LazyEntity)
assert_type(Task.get("t", "p", "d", None, "current"), LazyEntity)
assert_type(Run.listall((ActionPhase.FAILED, "timed_out"), "t", limit=3), Pager[Run])
assert_type(Run.listall(in_phase=[ActionPhase.FAILED]), Pager[Run])
assert_type(Run.listall(in_phase={"failed", "aborted"}), Pager[Run])
assert_type(Action.listall("r1", ("running",)), Pager[Action])
assert_type(App.listall(in_status=(DeploymentStatus.ACTIVE, "failed")), Pager[App])
assert_type(App.get("a", "p", "d"), App)
assert_type(Project.get("p"), Project)
assert_type(Project.get(name="p"), Project)
assert_type(flyte.run(Task.get("t", version="1"), x=3), Run)

# Timeouts, and blocks.
assert_type(Artifact.get("a", timeout=timedelta(seconds=3)), Artifact)
assert_type(Artifact.listall("a", timeout=3), Pager[Artifact])
assert_type(Run.listall(timeout=3).first(), Run | None)
assert_type(Run.get("r1", timeout=2.5).abort(timeout=3), bool)
with flyte.use_client(Client("localhost:1")) as client, flyte.call_options(timeout=3) as nothing:
    assert_type(client, Client)
    assert_type(nothing, None)

# Streams.
assert_type(special.watch(timeout=1.5), Watch[Thing])
assert_type(Special.watch(special), Watch[Thing])
assert_type(Thing.logs("a"), Stream[str])
for line in Thing.logs("a"):
    assert_type(line, str)
for thing in special.watch():
    assert_type(thing, Thing)
for found in Special.listall():
    assert_type(found, Special)
for page in Special.listall().pages():
    assert_type(page, list[Special])

# Comparing messages, and fields of them that may be missing, is a plain bool.
name = ActionIdentifier(name="a0")
assert_type(name == ActionIdentifier(), bool)
assert_type(name.run != ActionIdentifier().run, bool)


async def awaiting() -> None:
    assert_type(await assert_type(Special.get.aio("a"), Coroutine[Any, Any, Special]), Special)
    assert_type(await Special.get.aio("a", version=None), Special)
    assert_type(await special.rename.aio("d"), bool)
    assert_type(await Special.count.aio(factor=2), int)
    assert_type(await special.count.aio(), int)
    assert_type(await Special.rename.aio(special, "d"), bool)
    assert_type(await Special.measure.aio("a", 1, unit="m"), dict[str, Any])
    assert_type(await special.measure.aio("a", 1), dict[str, Any])
    assert_type(await special.tag.aio({}), list[Any])
    assert_type(await Special.tag.aio(special, {}), list[Any])
    assert_type(await assert_type(Special.combine.aio(), Coroutine[Any, Any, Any]), Any)
    assert_type(await Special.made.aio(size=1), Special)
    assert_type(await Special.listall().first.aio(), Special | None)
    assert_type(await Special.listall().collect.aio(), list[Special])
    assert_type(await Artifact.get.aio("a", region="us"), Artifact)
    assert_type(await Run.get.aio("r1", timeout=timedelta(minutes=1)), Run)
    assert_type(await Artifact.get_schema.aio("a"), PartitionSchema)
    assert_type(await Artifact.declare.aio("a", {"region": str}), PartitionSchema)
    assert_type(await Artifact.partition_values.aio("a", "region", date=date(2026, 8, 1)), list[str | date])
    assert_type(await Domain.update.aio("staging", "Rehearsal"), Domain)
    assert_type(await Trigger.update.aio("a", "t", True), None)
    async for found in Special.listall():
        assert_type(found, Special)
    async for page in Special.listall().pages():
        assert_type(page, list[Special])
    async for thing in special.watch.aio(timeout=2):
        assert_type(thing, Thing)
    async with special.watch() as watch:
        assert_type(watch, Watch[Thing])
    async for line in Thing.logs.aio("a"):
        assert_type(line, str)
