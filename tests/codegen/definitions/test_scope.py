"""Parts of a client's scope by the names of fields, entities that are like others, and several filters on the client."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flyte.errors import InitializationError
from flyte_codegen.diagnostics import Diagnostic
from flyte_rpc.calls.client import Client
from flyte_rpc.serving.server import ServerCall, serve
from support.fragments import Fragment, importable, proto

BODY = """
message ThingId { string tenant_id = 1; string region = 2; string name = 3; }
message Thing { ThingId id = 1; string colour = 2; string shape = 3; }
message GetThingRequest { ThingId id = 1; }
message GetThingResponse { Thing thing = 1; }
message Filter {
  enum Function { EQUAL = 0; }
  Function function = 1; string field = 2; repeated string values = 3;
}
message Sort { enum Direction { DESCENDING = 0; ASCENDING = 1; } string key = 1; Direction direction = 2; }
message ListRequest { int32 limit = 1; string token = 2; repeated Filter filters = 3; repeated Sort sort_by = 4; }
message ListThingsRequest { ListRequest request = 1; string tenant_id = 2; Sort order = 3; }
message ListThingsResponse { repeated Thing things = 1; string token = 2; }
message WatchThingsRequest { string tenant_id = 1; }
service Things {
  rpc GetThing(GetThingRequest) returns (GetThingResponse);
  rpc ListThings(ListThingsRequest) returns (ListThingsResponse);
  rpc WatchThings(WatchThingsRequest) returns (stream Thing);
}
service OtherThings {
  rpc GetThing(GetThingRequest) returns (GetThingResponse);
}
"""
TOML = """
[roles]
tenant = ["tenant_id"]
region = ["region"]

[scope]
"test.*Id" = {}
"test.ListThingsRequest" = {}
"test.WatchThings*" = { tenant_id = "tenant?" }

[listing]
request = "test.ListRequest"
filter = "test.Filter"
sort = "test.Sort"
filters_field = "filters"
sort_field = "sort_by"

[filters]
colour = { kind = "local", doc = "Only things of this colour." }
shape = { kind = "local", doc = "Only things of this shape." }

[entities.Thing]
service = "test.Things"
properties = ["id.name", "colour", { form = "shape", region_id = "id.region" }, "shape"]
methods.GetThing = { doc = "Fetch a thing." }
methods.ListThings = { filters = ["colour", "shape"], omit = ["order"] }
methods.WatchThings = { kind = "stream", on = "class", items = "" }

[entities.Another]
like = "Thing"
service = "test.OtherThings"
methods.GetThing = { name = "fetch" }
"""

Mistakes = Callable[[Fragment], list[Diagnostic]]
Make = Callable[..., Fragment]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fragment]:
    root = tmp_path_factory.mktemp("things")
    with importable(root):
        yield Fragment(root, {"test/test.proto": proto(BODY)}, TOML).generate()


@pytest.fixture
def service(made: Fragment) -> Any:
    types = made.load("messages.test.test")

    class Things(made.get("services.test.things:ThingsBase")):  # type: ignore[misc]
        def __init__(self) -> None:
            self.asked: list[Any] = []

        async def get_thing(self, request: Any, call: ServerCall) -> Any:
            self.asked.append(request)
            return types.GetThingResponse(thing=types.Thing(id=request.id))

        async def list_things(self, request: Any, call: ServerCall) -> Any:
            self.asked.append(request)
            kinds = [("red", "round"), ("red", "flat"), ("blue", "round"), ("red", "round")]
            things = [types.Thing(id=types.ThingId(name=f"t{n}"), colour=c, shape=s) for n, (c, s) in enumerate(kinds)]
            return types.ListThingsResponse(things=things)

        async def watch_things(self, request: Any, call: ServerCall) -> Any:
            self.asked.append(request)
            yield types.Thing(colour="red")

    return Things()


@pytest.fixture
async def client(service: Any) -> AsyncGenerator[Client, None]:
    async with (
        await serve([service]) as running,
        Client(running.endpoint, scope={"tenant": "acme", "region": "north"}, timeout=20) as client,
    ):
        yield client


async def test_the_client_fills_in_the_parts_of_its_scope(made: Fragment, service: Any, client: Client) -> None:
    Thing = made.get("entities.thing:ThingBase")
    found = await Thing.get.aio("lamp", client=client)
    assert (found.pb2.id.tenant_id, found.region_id, found.name) == ("acme", "north", "lamp")
    found = await Thing.get.aio("lamp", region="south", client=client)
    assert (found.pb2.id.tenant_id, found.region_id) == ("acme", "south")
    derived = client.with_options(scope={"tenant": "other"})
    found = await Thing.get.aio("lamp", client=derived)
    assert (found.pb2.id.tenant_id, found.region_id) == ("other", "north")


async def test_parts_that_are_missing_or_empty(made: Fragment, service: Any, client: Client) -> None:
    Thing = made.get("entities.thing:ThingBase")
    bare = Client(client.endpoint, scope={"region": "north"})
    with pytest.raises(
        InitializationError, match=r"No tenant is set. Pass tenant=\.\.\. .* as scope={'tenant': \.\.\.}"
    ):
        await Thing.get.aio("lamp", client=bare)
    with pytest.raises(ValueError, match="tenant must not be empty"):
        await Thing.get.aio("lamp", tenant="", client=client)
    assert [item.colour async for item in Thing.watch(client=bare)] == ["red"]  # may be empty
    assert service.asked[-1].tenant_id == ""
    with pytest.raises(ValueError, match="scope has project, which is an argument of its own"):
        Client(client.endpoint, scope={"project": "p"})
    await bare.aclose()


async def test_items_must_meet_all_conditions_on_the_client(made: Fragment, client: Client) -> None:
    Thing = made.get("entities.thing:ThingBase")

    async def names(**filters: str) -> list[str]:
        return [thing.name async for thing in Thing.listall(client=client, **filters)]

    assert await names() == ["t0", "t1", "t2", "t3"]
    assert await names(colour="red") == ["t0", "t1", "t3"]
    assert await names(shape="round") == ["t0", "t2", "t3"]
    assert await names(colour="red", shape="round") == ["t0", "t3"]
    assert await names(colour="blue", shape="flat") == []


async def test_an_entity_like_another(made: Fragment) -> None:
    Another = made.get("entities.another:AnotherBase")
    other = made.load("messages.test.test").Thing(colour="red")
    assert Another(other, client=None).colour == "red"
    assert Another.fetch.__doc__.startswith("Fetch a thing.")
    assert "Calls `OtherThings.GetThing`." in Another.fetch.__doc__


@pytest.mark.parametrize(
    ("old", "new", "complaint", "remedy"),
    [
        ("string field = 2;", "int32 field = 2;", "[listing] filter is test.Filter, which has a field field that is not a string", "function, field, values"),
        ("Function function = 1;", "Function func = 1;", "[listing] filter is test.Filter, which has no field function", ""),
        ("Direction direction = 2;", "string direction = 2;", "[listing] sort is test.Sort, which has a field direction that is not an enum", "key, direction"),
        ("DESCENDING = 0; ASCENDING = 1;", "DOWN = 0; UP = 1;", "whose enum test.Sort.Direction lacks ASCENDING, DESCENDING", ""),
    ],
)  # fmt: skip
def test_listing_messages_of_another_shape(
    tmp_path: Path, mistakes: Mistakes, old: str, new: str, complaint: str, remedy: str
) -> None:
    assert old in BODY
    fragment = Fragment(tmp_path, {"test/test.proto": proto(BODY.replace(old, new))}, TOML)
    found = [str(finding) for finding in mistakes(fragment)]
    assert any(complaint in text and remedy in text and "codegen.toml:" in text for text in found), found


def test_all_mistakes_of_an_entity_are_told_at_once(tmp_path: Path, mistakes: Mistakes) -> None:
    toml = TOML.replace('"colour", {', '"color", "shap", {').replace(
        "methods.GetThing = { doc", "methods.GetThng = { doc"
    )
    found = [str(finding) for finding in mistakes(Fragment(tmp_path, {"test/test.proto": proto(BODY)}, toml))]
    assert len(found) == 3 + 2  # the entity like it has the same wrong properties
    for part in ("has no field at 'color'", "has no field at 'shap'", "no RPC named test.Things.GetThng"):
        assert any(part in text for text in found), found


def test_effects_by_patterns(tmp_path: Path, mistakes: Mistakes) -> None:
    effects = '[effects]\nread = ["test.Things.*"]\nidempotent = ["test.Things.GetThing"]\n'
    with importable(tmp_path):
        made = Fragment(tmp_path, {"test/test.proto": proto(BODY)}, effects + TOML).generate()
        things = made.get("services.test.things:Things")
        assert (things.GET_THING.effect.value, things.LIST_THINGS.effect.value) == ("idempotent", "read")
    twice = '[effects]\nread = ["test.Things.*"]\nidempotent = ["test.*.GetThing"]\n'
    found = [str(f) for f in mistakes(Fragment(tmp_path / "b", {"test/test.proto": proto(BODY)}, twice + TOML))]
    assert (
        len(found) == 1
        and "gives test.Things.GetThing two effects: read by test.Things.* and idempotent by" in found[0]
    )
    none = '[effects]\nread = ["test.Nothing.*"]\n'
    found = [str(f) for f in mistakes(Fragment(tmp_path / "c", {"test/test.proto": proto(BODY)}, none + TOML))]
    assert len(found) == 1 and "has the pattern test.Nothing.*, which matches no RPC" in found[0]
