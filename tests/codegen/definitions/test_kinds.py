"""Methods of every kind against a server: create, stream, call, and scopes."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flyte.errors import AlreadyExistsError, InitializationError, NotFoundError, UnavailableError
from flyte_codegen.commands.explain import explain
from flyte_codegen.diagnostics import Diagnostic
from flyte_rpc.calls.client import Client
from flyte_rpc.serving.server import ServerCall, Status, abort, serve
from support.fragments import Fragment, importable, proto

REPO = Path(__file__).parents[3]

BODY = """
import "google/protobuf/duration.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";

enum Direction { DESCENDING = 0; ASCENDING = 1; }
enum Function { EQUAL = 0; VALUE_IN = 1; }
message Sort { string key = 1; Direction direction = 2; }
message Filter { Function function = 1; string field = 2; repeated string values = 3; }
message ListRequest { uint32 limit = 1; string token = 2; repeated Sort sorts = 3; repeated Filter filters = 4; }

message Plant { string id = 1; string bed = 2; bool wild = 3; google.protobuf.Timestamp sown = 4; string tag = 5; }
message Place { string org = 1; string project = 2; string domain = 3; string bed = 4; }
message Bed { string domain = 1; string name = 2; }

message CreatePlantRequest {
  string id = 1;
  google.protobuf.Timestamp sown = 2;
  google.protobuf.Duration grows = 3;
  google.protobuf.Struct notes = 4;
}
message CreatePlantResponse { Plant plant = 1; }
message AdoptPlantRequest { string id = 1; }
message PlantRequest { string plant_id = 1; string why = 2; }
message PlantReply { Plant plant = 1; string note = 2; }
message ListPlantsRequest {
  ListRequest request = 1;
  oneof where { Place place = 2; Bed bed = 3; }
}
message ListPlantsResponse { repeated Plant plants = 1; string token = 2; map<string, string> cursors = 3; }
message ListTagsRequest { string token = 1; int32 limit = 2; map<string, string> cursors = 3; }
message ListTagsResponse { repeated string tags = 1; string token = 2; map<string, string> cursors = 3; }
message CountRequest { ListRequest request = 1; }
message CountResponse { Inner inner = 1; message Inner { map<string, int64> counts = 1; } }
message Event { string text = 1; Plant plant = 2; repeated string words = 3; }
message Empty {}

service Garden {
  rpc CreatePlant(CreatePlantRequest) returns (CreatePlantResponse);
  rpc AdoptPlant(AdoptPlantRequest) returns (CreatePlantResponse);
  rpc CreateBed(PlantRequest) returns (Empty);
  rpc WaterPlant(PlantRequest) returns (PlantReply);
  rpc GetPlant(PlantRequest) returns (PlantReply);
  rpc ListPlants(ListPlantsRequest) returns (ListPlantsResponse);
  rpc ListTags(ListTagsRequest) returns (ListTagsResponse);
  rpc CountPlants(CountRequest) returns (CountResponse);
  rpc FollowPlant(PlantRequest) returns (stream Event);
}
"""
ENTITY = '[entities.Plant]\nmessage = "test.Plant"\nservice = "test.Garden"\nidentity = "id"\n'
TOML = f"""
[listing]
request = "test.ListRequest"
filter = "test.Filter"
sort = "test.Sort"
filters_field = "filters"
sort_field = "sorts"

[sort_keys]
PlantKey = ["sown", "id"]

[scope."test.Place"]
org = "org"
project = "project?"
domain = "domain?"

[scope."test.Bed"]
domain = "domain"

[filters.wild]
field = "wild"
kind = "bool"
doc = "Only wild ones, or only others."

[filters.tag]
field = "tag"
kind = "local"
doc = "Only those with this tag."

[filters.alive]
field = "state"
kind = "fixed"
value = "7"

[filters.more]
kind = "message"
doc = "More filters."

{ENTITY}
[entities.Plant.properties]
id = "id"
tag = "tag"
sown = "sown"

[entities.Plant.methods]
CreatePlant = {{}}
AdoptPlant = {{ kind = "create" }}
CreateBed = {{ name = "make_bed" }}
WaterPlant = {{ returns = "Plant" }}
GetPlant = {{ on = "instance", name = "again" }}
CountPlants = {{ items = "inner.counts", sort_keys = "PlantKey" }}
ListTags = {{ kind = "list", items = "tags", raw = true, name = "tags", omit = ["cursors"] }}
FollowPlant = {{ kind = "stream", name = "words", items = "words" }}

[entities.Plant.methods.ListPlants]
omit = ["bed"]
filters = ["wild", "tag", "alive", "more"]
sort = "-sown"
sort_keys = "PlantKey"

[entities.Plant.methods.in_bed]
rpc = "ListPlants"
omit = ["place"]
params = {{ "bed.name" = "bed" }}

[entities.Plant.methods.note]
rpc = "WaterPlant"
items = "note"

[entities.Plant.methods.soak]
rpc = "WaterPlant"
on = "class"
returns = "Plant"

[entities.Plant.methods.events]
rpc = "FollowPlant"
kind = "watch"
raw = true
items = ""
"""


@pytest.fixture(scope="module")
def garden(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fragment]:
    root = tmp_path_factory.mktemp("garden")
    with importable(root):
        yield Fragment(root, {"test/test.proto": proto(BODY)}, TOML).generate()


@pytest.fixture
def Plant(garden: Fragment) -> Any:
    return garden.get("entities.plant:PlantBase")


@pytest.fixture
def service(garden: Fragment) -> Any:
    types = garden.load("messages.test.test")

    class Garden(garden.get("services.test.garden:GardenBase")):  # type: ignore[misc]
        def __init__(self) -> None:
            self.asked: list[Any] = []
            self.plants: dict[str, Any] = {}
            self.cut = False

        async def create_plant(self, request: Any, call: ServerCall) -> Any:
            self.asked.append(request)
            if request.id in self.plants:
                abort(Status.ALREADY_EXISTS, "it grows already")
            self.plants[request.id] = types.Plant(id=request.id, sown=request.sown)
            return types.CreatePlantResponse(plant=self.plants[request.id])

        async def adopt_plant(self, request: Any, call: ServerCall) -> Any:
            return types.CreatePlantResponse(plant=types.Plant(id=request.id))

        async def create_bed(self, request: Any, call: ServerCall) -> Any:
            self.asked.append(request)
            return types.Empty()

        async def water_plant(self, request: Any, call: ServerCall) -> Any:
            self.asked.append(request)
            if request.plant_id not in self.plants:
                abort(Status.NOT_FOUND, "it does not grow here")
            return types.PlantReply(plant=types.Plant(id=request.plant_id, tag="wet"), note=f"for {request.why}")

        async def get_plant(self, request: Any, call: ServerCall) -> Any:
            return types.PlantReply(plant=types.Plant(id=request.plant_id, tag="again"))

        async def list_plants(self, request: Any, call: ServerCall) -> Any:
            self.asked.append(request)
            return types.ListPlantsResponse(plants=[types.Plant(id=f"p{n}", tag=f"t{n % 2}") for n in range(4)])

        async def list_tags(self, request: Any, call: ServerCall) -> Any:
            self.asked.append(request)
            page = int(request.token or 0)
            tags = [f"tag{page}a", f"tag{page}b"]
            token = str(page + 1) if page < 2 else ""
            return types.ListTagsResponse(tags=tags, token=token, cursors={"east": f"e{page}"})

        async def count_plants(self, request: Any, call: ServerCall) -> Any:
            self.asked.append(request)
            if request.request.limit == 1:
                return types.CountResponse()
            return types.CountResponse(inner=types.CountResponseInner(counts={"rose": 3}))

        async def follow_plant(self, request: Any, call: ServerCall) -> AsyncGenerator[Any]:
            self.asked.append(request)
            yield types.Event(text="one", words=["a", "b"])
            if self.cut:
                abort(Status.UNAVAILABLE, "cut")
            yield types.Event(text="two", words=["c"])

    return Garden()


@pytest.fixture
async def client(service: Any) -> AsyncGenerator[Client]:
    async with await serve([service]) as running, Client(running.endpoint, org="acme", timeout=20) as made:
        yield made


async def test_what_creates(Plant: Any, garden: Fragment, service: Any, client: Client) -> None:
    sown = datetime(2024, 5, 1, 12, tzinfo=UTC)
    made = await Plant.create.aio("rose", sown, timedelta(days=1), {"by": ["me"]}, client=client)
    assert type(made) is Plant and (made.id, made.sown) == ("rose", sown)
    assert service.asked[0].grows.to_timedelta() == timedelta(days=1)
    assert service.asked[0].notes.to_python() == {"by": ["me"]}
    with pytest.raises(AlreadyExistsError, match="it grows already"):
        await Plant.create.aio("rose", client=client)
    stamp = garden.get("messages.google.protobuf.timestamp:Timestamp")
    assert (await Plant.create.aio("fern", stamp.of(sown), client=client)).sown == sown, "messages are taken too"
    assert "AlreadyExistsError" in (inspect.getdoc(Plant.adopt) or "")
    assert (await Plant.adopt.aio("oak", client=client)).id == "oak"


async def test_a_call_on_the_class_may_give_its_instances(Plant: Any, client: Client) -> None:
    class Mine(Plant):  # type: ignore[misc]
        pass

    await Plant.create.aio("rose", client=client)
    wet = await Mine.soak.aio("rose", client=client)
    assert (type(wet), wet.tag) == (Mine, "wet")
    assert inspect.signature(Mine.soak).return_annotation == "Self", "type checkers know it too"
    assert "NotFoundError" in (inspect.getdoc(Plant.soak) or "")
    with pytest.raises(NotFoundError, match="it does not grow here"):
        await Mine.soak.aio("fern", client=client)


class Fern:
    pass


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"sown": datetime(2024, 5, 1)}, "sown has no time zone"),
        ({"sown": "today"}, "sown takes a datetime, not str"),
        ({"grows": 3}, "grows takes a timedelta, not int"),
        ({"notes": ["a"]}, "notes takes a mapping, not list"),
        ({"notes": {"a": Fern()}}, "Fern is not a JSON value"),
    ],
)
async def test_values_that_are_no_instants_spans_or_objects(
    Plant: Any, service: Any, client: Client, arguments: dict[str, Any], complaint: str
) -> None:
    with pytest.raises((TypeError, ValueError), match=complaint):
        await Plant.create.aio("rose", **arguments, client=client)
    assert service.asked == []


async def test_things_that_plain_text_names(Plant: Any, garden: Fragment, service: Any, client: Client) -> None:
    rose = await Plant.create.aio("rose", client=client)
    wet = await rose.water.aio("thirst")
    assert type(wet) is Plant and wet.tag == "wet" and wet.client is client
    assert await rose.note.aio("fun") == "for fun"
    assert (await rose.again.aio()).tag == "again"
    with pytest.raises(NotFoundError, match="it does not grow here"):
        await Plant(garden.get("messages.test.test:Plant")(id="fern"), client).water.aio()
    await Plant.make_bed.aio("b1", client=client)
    assert service.asked[-1].plant_id == "b1", "what creates is no method of things that exist"


async def test_a_value_inside_a_reply(Plant: Any, service: Any, client: Client) -> None:
    assert await Plant.count.aio(sort_by=("id", "asc"), limit=5, client=client) == {"rose": 3}
    assert (service.asked[0].request.limit, service.asked[0].request.sorts[0].key) == (5, "id")
    assert await Plant.count.aio(limit=1, client=client) is None, "a message on the way may be missing"


async def test_pages_of_plain_values_that_bring_back_what_the_last_one_came_with(
    Plant: Any, service: Any, client: Client
) -> None:
    tags = Plant.tags(client=client)
    for _ in range(2):
        service.asked.clear()
        assert [tag async for tag in tags] == [f"tag{n}{x}" for n in range(3) for x in "ab"]
        assert [request.token for request in service.asked] == ["", "1", "2"]


async def test_a_stream_is_opened_once_and_a_watch_again(
    Plant: Any, garden: Fragment, service: Any, client: Client
) -> None:
    rose = Plant(garden.get("messages.test.test:Plant")(id="rose"), client)
    assert [word async for word in rose.words()] == ["a", "b", "c"]
    service.cut = True
    words = []
    with pytest.raises(UnavailableError, match="cut"):
        async for word in rose.words():
            words.append(word)
    assert words == ["a", "b"]
    seen = []
    async for event in rose.events():
        seen.append(event.text)
        if len(seen) == 2:
            break
    assert seen == ["one", "one"], "a watch is opened again, and starts anew"


async def test_scopes_that_may_be_missing(Plant: Any, service: Any, client: Client) -> None:
    await Plant.listall(client=client).collect.aio()
    await Plant.listall(project="p", client=client).collect.aio()
    with client_of(client, project="q", domain="d") as scoped:
        await Plant.listall(client=scoped).collect.aio()
        await Plant.listall(project="", client=scoped).collect.aio()
    places = [(r.place.org, r.place.project, r.place.domain) for r in service.asked]
    assert places == [("acme", "", ""), ("acme", "p", ""), ("acme", "q", "d"), ("acme", "", "d")]


async def test_a_scope_of_one_part_only(Plant: Any, service: Any, client: Client) -> None:
    with pytest.raises(InitializationError, match=r"No domain is set\. Pass domain="):
        Plant.in_bed(bed="b", client=client)
    await Plant.in_bed(bed="b", domain="d", client=client).collect.aio()
    assert (service.asked[0].bed.domain, service.asked[0].bed.name, service.asked[0].place) == ("d", "b", None)
    assert "project" not in inspect.signature(Plant.in_bed).parameters


async def test_filters_of_every_kind(Plant: Any, garden: Fragment, service: Any, client: Client) -> None:
    types = garden.load("messages.test.test")
    mine = types.Filter(function=types.Function.VALUE_IN, field="tag", values=["x", "y"])
    found = await Plant.listall(wild=True, tag="t1", more=[mine], client=client).collect.aio()
    assert [plant.id for plant in found] == ["p1", "p3"], "what the server can't tell apart is left out here"
    sent = [(f.function.name, f.field, f.values) for f in service.asked[0].request.filters]
    assert sent == [("EQUAL", "wild", ["true"]), ("EQUAL", "state", ["7"]), ("VALUE_IN", "tag", ["x", "y"])]


async def test_keys_to_sort_by(Plant: Any, garden: Fragment, service: Any, client: Client) -> None:
    await Plant.listall(sort_by=["-sown", ("id", "asc")], client=client).collect.aio()
    assert [(s.key, s.direction.name) for s in service.asked[0].request.sorts] == [
        ("sown", "DESCENDING"),
        ("id", "ASCENDING"),
    ]
    with pytest.raises(ValueError, match="sort_by has 'sowed', which the server does not sort by; did you mean 'sown'"):
        Plant.listall(sort_by="sowed", client=client)
    with pytest.raises(ValueError, match="known: sown, id"):
        Plant.listall(sort_by="xyz", client=client)
    assert "sort_by: SortedBy[PlantKey] | None" in explain(garden.config, "ListPlants")


def test_type_checkers_know_the_keys(garden: Fragment, monkeypatch: pytest.MonkeyPatch) -> None:
    from mypy import api

    monkeypatch.setenv("MYPYPATH", str(garden.root / "out"))
    monkeypatch.chdir(REPO)  # whose settings and cache it uses

    use = f"""
from {garden.package}.entities.plant import PlantBase
from flyte_rpc.entities.pager import Pager
PlantBase.listall(sort_by="-sown")
PlantBase.listall(sort_by=("id", "asc"))
PlantBase.listall(sort_by="sowed")
tags: Pager[str] = PlantBase.tags()
words: int = PlantBase.words
"""
    path = garden.root / "use.py"
    path.write_text(use, encoding="utf-8")
    out, _, _ = api.run(["--no-error-summary", str(path)])
    assert [line.split(": ")[0].rpartition(":")[2] for line in out.splitlines() if ": error:" in line] == ["6", "8"]


@pytest.mark.parametrize(
    ("methods", "message", "remedy"),
    [
        (
            "CreatePlant = { raw = true }",
            "raw applies only to list and watch methods, and this is a create method",
            "remove raw",
        ),
        (
            'ListTags = { kind = "list", items = "tags", on = "instance", raw = true }',
            "no field that identifies the entity",
            "remove",
        ),
        (
            'ListPlants = { sort_keys = "PlantKeys" }',
            "sort_keys names PlantKeys, which is not defined",
            "did you mean PlantKey",
        ),
        (
            'ListPlants = { sort = "-height", sort_keys = "PlantKey" }',
            "sort is '-height', which is not among PlantKey",
            "known",
        ),
        (
            'WaterPlant = { sort_keys = "PlantKey" }',
            "sort_keys is set, but test.PlantRequest has no field for it",
            "remove",
        ),
        ('WaterPlant = { on = "thing" }', "on is 'thing', which is not a known value", "known: class, instance"),
        ('again = { rpc = "GetPlan" }', "no RPC named test.Garden.GetPlan", "did you mean test.Garden.GetPlant"),
        (
            'WaterPlant = { returns = "Plant", items = "note" }',
            "test.PlantReply.note is string, but Plant is made of",
            "items",
        ),
        (
            'FollowPlant = { kind = "stream", final = "done" }',
            "final applies only to watch methods, and this is a stream method",
            "remove final",
        ),
        (
            'FollowPlant = { kind = "watch", bounded_by = "til" }',
            "bounded_by names til, which is not a parameter",
            "known",
        ),
        (
            'FollowPlant = { kind = "stream", fetch = "_look" }',
            "fetch applies only to watch methods, and this is a stream method",
            "remove fetch",
        ),
        (
            'GetPlant = { made_by = "_made" }',
            "made_by applies only to watch methods, and this is a get method",
            "remove made_by",
        ),
        (
            "FollowPlant = {}",
            "test.Garden.FollowPlant streams its replies, and nothing says whether it ends by itself",
            'add kind = "stream" for a stream that ends, or kind = "watch"',
        ),
        ('GetPlant = { items = "plan.id" }', "has no field at 'plan.id'", "correct items"),
    ],
)
def test_mistakes(
    fragment: Callable[..., Fragment],
    mistakes: Callable[[Fragment], list[Diagnostic]],
    methods: str,
    message: str,
    remedy: str,
) -> None:
    head = TOML.partition("[entities.Plant]")[0]
    made = fragment(proto(BODY), f"{head}{ENTITY}[entities.Plant.methods]\n{methods}\n")
    (found,) = mistakes(made)
    assert message in found.message
    assert remedy in found.remedy


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ('[filters.a]\nkind = "fixed"\nfield = "b"\n', "value"),
        ('[filters.a]\nkind = "bool"\n', "doc"),
        ('[sort_keys]\nA = "b"\n', "[sort_keys] A is not a list of strings"),
        ('[sort_keys]\n"no name" = ["b"]\n', "no name"),
        (
            '[entities.Plant]\nmessage = "test.Plant"\nidentity = "idd"\n',
            "[entities.Plant] identity: test.Plant has no field",
        ),
    ],
)
def test_mistakes_in_other_tables(
    fragment: Callable[..., Fragment], mistakes: Callable[[Fragment], list[Diagnostic]], toml: str, message: str
) -> None:
    assert message in mistakes(fragment(proto(BODY), toml))[0].message


def client_of(client: Client, **scope: str) -> Client:
    return Client(client.endpoint, org=client.org, timeout=20, **scope)
