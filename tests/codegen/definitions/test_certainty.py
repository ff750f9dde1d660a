"""Definitions that fit more than one method: the generator picks the certain one, or refuses with the line to add."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from flyte_codegen.diagnostics import Diagnostic
from flyte_codegen.names import snake
from flyte_rpc.calls.client import Client
from flyte_rpc.serving.server import ServerCall, serve
from support.fragments import Fragment, proto

Mistakes = Callable[[Fragment], list[Diagnostic]]
Make = Callable[..., Fragment]

TOML = """
[entities.Thing]
message = "test.Thing"
service = "test.Things"
"""


def things(body: str) -> str:
    return proto(
        f"message ThingId {{ string name = 1; }}\nmessage Thing {{ ThingId id = 1; string name = 2; }}\n{body}"
    )


def refusal(fragment: Fragment, mistakes: Mistakes) -> str:
    (found,) = mistakes(fragment)
    return str(found)


@pytest.mark.parametrize("name", ["Getter", "Creates", "Getaway"])
def test_a_verb_is_a_whole_word(fragment: Make, name: str) -> None:
    body = f"message Request {{ string name = 1; }} service Things {{ rpc {name}(Request) returns (Thing); }}"
    made = fragment(things(body), f"{TOML}methods.{name} = {{}}\n").generate()
    base = made.get("entities.thing:ThingBase")
    method = getattr(base, name.lower())
    assert not hasattr(base, "get") and not hasattr(base, "create")
    assert "The reply of the server." in method.__doc__


@pytest.mark.parametrize("name", ["Listen", "Watchdog"])
def test_a_stream_is_named_by_a_whole_word(fragment: Make, mistakes: Mistakes, name: str) -> None:
    body = f"message Request {{}} service Things {{ rpc {name}(Request) returns (stream Thing); }}"
    told = refusal(fragment(things(body), f"{TOML}methods.{name} = {{}}\n"), mistakes)
    assert f"test.Things.{name} streams its replies, and nothing says whether it ends by itself" in told
    toml = f'{TOML}methods.{name} = {{ kind = "stream", on = "class" }}\n'
    assert hasattr(fragment(things(body), toml).generate().get("entities.thing:ThingBase"), name.lower())


@pytest.mark.parametrize("name", ["Get", "Get2", "GetThing", "Get_Thing"])
def test_a_verb_may_stand_alone(fragment: Make, name: str) -> None:
    body = f"message Request {{ string name = 1; }} service Things {{ rpc {name}(Request) returns (Thing); }}"
    made = fragment(things(body), f"{TOML}methods.{name} = {{}}\n").generate()
    assert hasattr(made.get("entities.thing:ThingBase"), "get")


@pytest.mark.parametrize("syntax", ["proto2", "proto3"])
@pytest.mark.parametrize("kind", ["string", "bytes", "int32"])
async def test_tokens_with_presence(fragment: Make, kind: str, syntax: str) -> None:
    body = f"""
    message Thing {{ optional string name = 1; }}
    message ListThingsRequest {{ optional int32 size = 1; optional {kind} page = 2; }}
    message ListThingsResponse {{ repeated Thing things = 1; optional {kind} next = 2; }}
    service Things {{ rpc ListThings(ListThingsRequest) returns (ListThingsResponse); }}
    """
    toml = f'{TOML}identity = "name"\nmethods.ListThings = {{ pages = {{ token = "page", next = "next", size = "size" }} }}\n'
    made = fragment(f'syntax = "{syntax}";\npackage test;\n{body}', toml).generate()
    types, asked = made.load("messages.test.test"), list[Any]()
    following = {"string": "2", "bytes": b"\xff\xfe", "int32": 2}[kind]

    class Things(made.get("services.test.things:ThingsBase")):  # type: ignore[misc]
        async def list_things(self, request: Any, call: ServerCall) -> Any:
            asked.append(request.page)
            after = {} if request.page else {"next": following}
            return types.ListThingsResponse(things=[types.Thing(name=f"t{len(asked)}")], **after)

    async with await serve([Things()]) as running, Client(running.endpoint, timeout=20) as client:
        found = [thing.pb2.name async for thing in made.get("entities.thing:ThingBase").listall(client=client)]
    assert found == ["t1", "t2"]
    assert asked == [None, following]


ONEOF = """
message FireRequest { oneof by { string tenant_id = 1; string region_id = 2; } string reason = 3; }
service Things { rpc Fire(FireRequest) returns (Thing); }
"""
SCOPE = """
[roles]
tenant = ["tenant_id"]
region = ["region_id"]

[scope]
"test.FireRequest" = {}
"""


def test_parts_of_the_scope_in_one_oneof(fragment: Make, mistakes: Mistakes) -> None:
    told = refusal(fragment(things(ONEOF), f"{SCOPE}{TOML}methods.Fire = {{}}\n"), mistakes)
    assert "the client fills in tenant_id, which is in one oneof with region_id; only one of them can be sent" in told
    assert 'under [entities.Thing.methods.Fire], add omit = ["region_id"]' in told
    made = fragment(things(ONEOF), f'{SCOPE}{TOML}methods.Fire = {{ omit = ["region_id"] }}\n').generate()
    doc = made.get("entities.thing:ThingBase").fire.__doc__
    assert "tenant:" in doc and "region" not in doc


def test_a_part_of_the_scope_and_a_parameter_in_one_oneof(fragment: Make, mistakes: Mistakes) -> None:
    body = ONEOF.replace("region_id", "colour")
    scope = SCOPE.replace('region = ["region_id"]\n', "")
    told = refusal(fragment(things(body), f"{scope}{TOML}methods.Fire = {{}}\n"), mistakes)
    assert "the client fills in tenant_id, which is in one oneof with colour" in told
    made = fragment(things(body), f'{scope}{TOML}methods.Fire = {{ omit = ["tenant_id"] }}\n').generate()
    doc = made.get("entities.thing:ThingBase").fire.__doc__
    assert "colour:" in doc and "tenant" not in doc


def test_missing_ok_with_an_entity(fragment: Make, mistakes: Mistakes) -> None:
    body = "message Request { string name = 1; } service Things { rpc Drop(Request) returns (Thing); }"
    toml = f'{TOML}methods.Drop = {{ missing_ok = true, returns = "Thing" }}\n'
    told = refusal(fragment(things(body), toml), mistakes)
    assert "[entities.Thing.methods.Drop] missing_ok makes the method return a bool, but returns names Thing" in told
    assert "remove missing_ok or returns" in told


TWO_IDS = [
    ("ThingId id = 1; ThingId other = 2;", "id", "id, other", '"other" = "other"'),
    ("ThingId other = 1; ThingId id = 2;", "id", "other, id", '"other" = "other"'),
    ("ThingId source = 1; ThingId target = 2;", "id", "source, target", '"target" = "target"'),
    ("repeated ThingId ids = 1; ThingId other = 2;", "id", "ids, other", '"other" = "other"'),
    ("string name = 1; string thing_name = 2;", "name", "name, thing_name", '"thing_name" = "thing_name"'),
]


@pytest.mark.parametrize(("fields", "identity", "several", "line"), TWO_IDS)
async def test_several_fields_fit_the_identity(
    fragment: Make, mistakes: Mistakes, fields: str, identity: str, several: str, line: str
) -> None:
    body = things(f"message SwapReq {{ {fields} }} service Things {{ rpc Swap(SwapReq) returns (Thing); }}")
    toml = f'{TOML}identity = "{identity}"\nmethods.Swap = '
    told = refusal(fragment(body, f"{toml}{{}}\n"), mistakes)
    assert f"[entities.Thing.methods.Swap] several fields fit the identity of the entity: {several}" in told
    assert f"params = {{ {line} }}" in told
    made = fragment(body, f"{toml}{{ params = {{ {line} }} }}\n").generate()
    types, asked = made.load("messages.test.test"), list[Any]()

    class Things(made.get("services.test.things:ThingsBase")):  # type: ignore[misc]
        async def swap(self, request: Any, call: ServerCall) -> Any:
            asked.append(request)
            return types.Thing()

    own, other = types.ThingId(name="own"), types.ThingId(name="other")
    name = line.split('"')[1]
    left = next(part.strip() for part in several.split(",") if part.strip() != name)
    async with await serve([Things()]) as running, Client(running.endpoint, timeout=20) as client:
        thing = made.get("entities.thing:ThingBase")(types.Thing(id=own, name="own"), client)
        await thing.swap.aio(**{name: "other" if identity == "name" else other})
    sent, given = getattr(asked[0], left), getattr(asked[0], name)
    assert (sent, given) == (("own", "other") if identity == "name" else ([own] if left == "ids" else own, other))


def test_a_request_with_only_another_thing_is_a_class_method(fragment: Make) -> None:
    body = things("message Req { ThingId other = 1; } service Things { rpc Swap(Req) returns (Thing); }")
    made = fragment(body, f'{TOML}methods.Swap = {{ params = {{ other = "other" }} }}\n').generate()
    source = (made.path / "entities/thing.py").read_text("utf-8")
    assert "def swap(" in source and "_identity()" not in source


WATCH = """
message WatchRequest { ThingId id = 1; }
message WatchAllRequest {}
service Things {
  rpc Watch(WatchRequest) returns (stream Thing);
  rpc WatchAll(WatchAllRequest) returns (stream Thing);
}
"""


@pytest.mark.parametrize("setting", ["fetch", "made_by"])
def test_methods_of_an_overlay_need_one(fragment: Make, mistakes: Mistakes, setting: str) -> None:
    method = f'methods.Watch = {{ {setting} = "mine" }}\n'
    told = refusal(fragment(things(WATCH), TOML + method), mistakes)
    assert f"[entities.Thing.methods.Watch] {setting} names a method of the overlay, and Thing has none" in told
    assert 'under [entities.Thing], add overlay = "package.module:Thing"' in told
    made = fragment(things(WATCH), f'{TOML}overlay = "things:Thing"\n{method}').generate()
    assert hasattr(made.get("entities.thing:ThingBase"), "mine")


@pytest.mark.parametrize("setting", ["final", "made_by"])
def test_methods_of_an_overlay_on_messages(fragment: Make, mistakes: Mistakes, setting: str) -> None:
    toml = f'{TOML}overlay = "things:Thing"\nmethods.Watch = {{ raw = true, {setting} = "mine" }}\n'
    told = refusal(fragment(things(WATCH), toml), mistakes)
    assert f"{setting} names a method of an entity, but raw = true yields messages" in told
    assert f"remove {setting} or raw" in told


def test_fetch_without_an_instance(fragment: Make, mistakes: Mistakes) -> None:
    toml = f'{TOML}overlay = "things:Thing"\nmethods.WatchAll = {{ fetch = "mine" }}\n'
    told = refusal(fragment(things(WATCH), toml), mistakes)
    assert "fetch reads the current state of an instance, but test.WatchAllRequest does not identify one" in told


LIST = """
enum Size { SIZE_SMALL = 0; SIZE_LARGE = 1; }
message Lamp { string name = 1; int32 watts = 2; optional bool lit = 3; Size size = 4; repeated string tags = 5; ThingId id = 6; }
message ListLampsRequest {}
message ListLampsResponse { repeated Lamp lamps = 1; }
service Lamps { rpc ListLamps(ListLampsRequest) returns (ListLampsResponse); }
"""
LAMPS = """
[filters]
watts = { kind = "local", doc = "Only lamps of this power." }
lit = { kind = "local", doc = "Only lamps that are lit, or that are not." }
size = { kind = "local", doc = "Only lamps of this size." }
name = { kind = "local", doc = "Only the lamp of this name." }
price = { kind = "local", doc = "Only lamps of this price." }
tags = { kind = "local", doc = "Only lamps with this tag." }
power = { kind = "prefix", field = "watts", doc = "Only lamps whose power begins with this." }
remote = { kind = "equal", field = "name", doc = "Only the lamp of this name." }

[entities.Lamp]
service = "test.Lamps"
identity = "name"
properties = ["name", "watts", "lit", "size", "tags"]
methods.ListLamps = { filters = FILTERS }
"""


async def test_local_filters_without_a_filter_message(fragment: Make) -> None:
    made = fragment(things(LIST), LAMPS.replace("FILTERS", '["watts", "lit", "size", "name"]')).generate()
    types = made.load("messages.test.test")
    signature = (made.path / "entities/lamp.py").read_text("utf-8")
    for param in ("watts: int | None", "lit: bool | None", "size: Size | None", "name: str | None"):
        assert param in signature

    class Lamps(made.get("services.test.lamps:LampsBase")):  # type: ignore[misc]
        async def list_lamps(self, request: Any, call: ServerCall) -> Any:
            lamps = [types.Lamp(name=f"{n}", watts=n, lit=n > 1, size=types.Size(n % 2)) for n in range(4)]
            return types.ListLampsResponse(lamps=lamps)

    async with await serve([Lamps()]) as running, Client(running.endpoint, timeout=20) as client:
        lamp = made.get("entities.lamp:LampBase")

        async def names(**filters: Any) -> list[str]:
            return [item.name async for item in lamp.listall(client=client, **filters)]

        assert await names() == ["0", "1", "2", "3"]
        assert await names(watts=2) == ["2"]
        assert await names(lit=False) == ["0", "1"]
        assert await names(size=types.Size.LARGE, lit=True) == ["3"]
        assert await names(name="1") == ["1"]


@pytest.mark.parametrize(
    ("name", "complaint", "remedy"),
    [
        ("price", "filters names price, which reads price, but Lamp has no such property", "set field to one of: name, watts,"),
        ("tags", "filters names tags, which reads tags, a repeated string", "filters of the kind local take a single bool or"),
        ("power", "filters names power, which reads watts, a int32", "filters of the kind prefix take a single string"),
        ("watt", "filters names watt, which is not defined", "did you mean watts"),
        ("remote", "filters is set, but test.ListLampsRequest has no field for remote", 'set kind = "local"'),
    ],
)  # fmt: skip
def test_filters_that_the_items_do_not_have(
    fragment: Make, mistakes: Mistakes, name: str, complaint: str, remedy: str
) -> None:
    told = refusal(fragment(things(LIST), LAMPS.replace("FILTERS", f'["{name}"]')), mistakes)
    assert complaint in told
    assert remedy.lower() in told.lower()


def test_filters_on_the_properties_of_an_overlay(fragment: Make) -> None:
    toml = LAMPS.replace("FILTERS", '["price"]').replace("[entities.Lamp]", '[entities.Lamp]\noverlay = "lamps:Lamp"')
    source = (fragment(things(LIST), toml).generate().path / "entities/lamp.py").read_text("utf-8")
    assert "price: str | None" in source


def test_local_filters_of_a_watch(fragment: Make, mistakes: Mistakes) -> None:
    body = LIST.replace("returns (List", "returns (stream List")
    toml = LAMPS.replace("filters = FILTERS", 'kind = "watch", items = "lamps", on = "class", filters = ["name"]')
    told = refusal(fragment(things(body), toml), mistakes)
    assert "filters has some that drop items on the client, which only lists do; this is a watch" in told


EITHER = """
message Request { string name = 1; }
message Reply { oneof what { Thing thing = 1; string error = 2; } }
service Things {
  rpc WatchThings(Request) returns (stream Reply);
  rpc GetThing(Request) returns (Reply);
  rpc CreateThing(Request) returns (Reply);
  rpc Renew(Request) returns (Reply);
}
"""


@pytest.mark.parametrize(
    ("method", "whole"),
    [
        ('WatchThings = { on = "class"', "raw = true"),
        ("GetThing = { ", 'kind = "call"'),
        ("CreateThing = { ", 'kind = "call"'),
        ('Renew = { returns = "Thing"', ""),
    ],
)
def test_a_result_that_is_one_of_several(fragment: Make, mistakes: Mistakes, method: str, whole: str) -> None:
    comma = "" if method.endswith("{ ") else ", "
    toml = f"{TOML}methods.{method}"
    told = refusal(fragment(things(EITHER), f"{toml} }}\n"), mistakes)
    name = method.partition(" ")[0]
    assert f"test.Things.{name} replies with thing or, in the same oneof, with error" in told
    assert 'add items = "thing", which passes over other replies' in told and (whole or "remove returns") in told
    single = fragment(things(EITHER), f'{toml}{comma}items = "thing" }}\n').generate()
    assert "reply.thing" in (single.path / "entities/thing.py").read_text("utf-8")
    if whole:
        every = fragment(things(EITHER), f"{toml}{comma}{whole} }}\n").generate()
        assert "reply.thing" not in (every.path / "entities/thing.py").read_text("utf-8")


def test_a_oneof_with_one_member_is_certain(fragment: Make) -> None:
    body = EITHER.replace(" string error = 2;", "")
    made = fragment(things(body), f"{TOML}methods.GetThing = {{}}\n").generate()
    assert "reply.thing" in (made.path / "entities/thing.py").read_text("utf-8")


def test_a_property_without_a_comment_names_its_field(fragment: Make) -> None:
    toml = f'{TOML}properties = [{{ label = "id.name" }}]\n'
    base = fragment(things("service Things {}"), toml).generate().get("entities.thing:ThingBase")
    assert base.label.__doc__ == "`id.name` of the message."


@pytest.mark.parametrize(
    ("keeper", "identity", "covered"),
    [
        ("string name = 1; string tenant_id = 2;", "name", "test.Keeper"),
        ("KeeperId id = 1;", "id.name", "test.KeeperId"),
        ("KeeperId id = 1;", "id", "test.KeeperId"),
        ("string name = 1; string tenant_id = 2;", "name", ""),
    ],
)
async def test_an_entity_has_its_own_part_of_the_scope(
    fragment: Make, keeper: str, identity: str, covered: str
) -> None:
    key = "KeeperId id = 2;" if identity == "id" else "string name = 2;"
    body = f"""
    message KeeperId {{ string name = 1; string tenant_id = 2; }}
    message Keeper {{ {keeper} }}
    message FireRequest {{ string tenant_id = 1; {key} }}
    message FireResponse {{}}
    service Keepers {{ rpc Fire(FireRequest) returns (FireResponse); }}
    """
    toml = f"""
    [roles]
    tenant = ["tenant_id"]
    [scope]
    "test.FireRequest" = {{}}
    {f'"{covered}" = {{}}' if covered else ""}
    [entities.Keeper]
    service = "test.Keepers"
    identity = "{identity}"
    methods.Fire = {{}}
    """
    made = fragment(proto(body), toml).generate()
    types, asked = made.load("messages.test.test"), list[Any]()

    class Keepers(made.get("services.test.keepers:KeepersBase")):  # type: ignore[misc]
        async def fire(self, request: Any, call: ServerCall) -> Any:
            asked.append(request)
            return types.FireResponse()

    own = {"name": "k", "tenant_id": "theirs"}
    message = types.Keeper(**own) if "KeeperId" not in keeper else types.Keeper(id=types.KeeperId(**own))
    async with (
        await serve([Keepers()]) as running,
        Client(running.endpoint, scope={"tenant": "mine"}, timeout=20) as client,
    ):
        await made.get("entities.keeper:KeeperBase")(message, client).fire.aio()
    assert asked[0].tenant_id == ("theirs" if covered else "mine")


@pytest.mark.parametrize("name", ["Service", "ServiceClient", "Stream", "Watch", "Client", "ServiceBase"])
async def test_services_with_the_names_of_the_runtime(fragment: Make, name: str) -> None:
    body = f"message Request {{ string name = 1; }} service {name} {{ rpc Find(Request) returns (Thing); }}"
    toml = TOML.replace("test.Things", f"test.{name}") + "methods.Find = {}\n"
    made = fragment(things(body), toml).generate()
    types = made.load("messages.test.test")
    module = f"test.{snake(name)}"

    class Things(made.get(f"services.{module}:{name}_Base")):  # type: ignore[misc]
        async def find(self, request: Any, call: ServerCall) -> Any:
            return types.Thing(name=request.name)

    async with await serve([Things()]) as running, Client(running.endpoint, timeout=20) as client:
        reply = await made.get(f"clients.{module}:{name}_Client")(client).find.aio(types.Request(name="lamp"))
        assert reply.name == "lamp"
        found = await made.get("entities.thing:ThingBase").find.aio(name="lamp", client=client)
        assert found.name == "lamp"


async def test_rpcs_that_differ_by_an_underscore(fragment: Make) -> None:
    body = "message Request {} service Things { rpc Client(Request) returns (Thing); rpc _Client(Request) returns (Thing); }"
    made = fragment(things(body)).generate()
    types = made.load("messages.test.test")

    class Things(made.get("services.test.things:ThingsBase")):  # type: ignore[misc]
        async def client(self, request: Any, call: ServerCall) -> Any:
            return types.Thing(name="plain")

        async def x_client(self, request: Any, call: ServerCall) -> Any:
            return types.Thing(name="underscore")

    async with await serve([Things()]) as running, Client(running.endpoint, timeout=20) as client:
        calls = made.get("clients.test.things:ThingsClient")(client)
        found = [(await call.aio(types.Request())).name for call in (calls.client_, calls.x_client)]
    assert found == ["plain", "underscore"]
