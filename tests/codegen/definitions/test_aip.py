"""Foreign definitions: in the style of Google's API guide, or with unusual identifiers."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from inspect import getdoc
from typing import Any

from flyte_codegen.commands.explain import explain
from flyte_rpc.calls.client import Client
from flyte_rpc.serving.server import ServerCall, serve
from support.fragments import Fragment, proto

BODY = """
import "google/protobuf/timestamp.proto";
message Pen { string name = 1; google.protobuf.Timestamp create_time = 2; }
message GetPenRequest { string name = 1; }
message CreatePenRequest { string parent = 1; string pen_id = 2; Pen pen = 3; }
service Pens {
  rpc GetPen(GetPenRequest) returns (Pen);
  rpc WatchPen(GetPenRequest) returns (stream Pen);
  rpc CreatePen(CreatePenRequest) returns (Pen);
}
"""
TOML = """
[entities.Pen]
message = "test.Pen"
service = "test.Pens"
identity = "name"
[entities.Pen.methods]
GetPen = {}
WatchPen = {}
CreatePen = { kind = "get", name = "create" }
"""


def test_a_reply_that_is_the_thing_itself(fragment: Callable[..., Fragment]) -> None:
    """Its only message field, a time, is not the result."""
    made = fragment(proto(BODY), TOML).generate()
    source = (made.path / "entities/pen.py").read_text("utf-8")
    assert source.count("return cls._of(reply, caller)") == 2
    assert "cls._of(reply, caller)" in source
    assert "  method     Pen.get(cls, name: str, *, timeout: float | timedelta | None = None, client" in explain(
        made.config, "GetPen"
    )


async def test_a_watch_of_the_thing_itself(fragment: Callable[..., Fragment]) -> None:
    made = fragment(proto(BODY), TOML).generate()
    pen = made.get("messages.test.test:Pen")

    class Pens(made.get("services.test.pens:PensBase")):  # type: ignore[misc]
        async def watch_pen(self, request: Any, call: ServerCall) -> AsyncGenerator[Any]:
            yield pen(name=request.name)

    async with await serve([Pens()]) as running, Client(running.endpoint, timeout=20) as client:
        # Not Watch[Self], which type checkers turn into Watch[Never].
        assert "-> Watch[PenBase]" in explain(made.config, "WatchPen")
        async for found in made.get("entities.pen:PenBase")(pen(name="blue"), client).watch():
            assert found.pb2 == pen(name="blue")
            break


async def test_a_list_that_is_sent_as_a_stream_is_read_once(fragment: Callable[..., Fragment]) -> None:
    body = """
    message Pen { string name = 1; }
    message ListPensRequest {}
    service Pens { rpc ListPens(ListPensRequest) returns (stream Pen); }
    """
    toml = '[entities.Pen]\nmessage = "test.Pen"\nservice = "test.Pens"\nidentity = "name"\n'
    made = fragment(proto(body), f"{toml}[entities.Pen.methods]\nListPens = {{}}\n").generate()
    pen = made.get("messages.test.test:Pen")

    class Pens(made.get("services.test.pens:PensBase")):  # type: ignore[misc]
        async def list_pens(self, request: Any, call: ServerCall) -> AsyncGenerator[Any]:
            yield pen(name="blue")
            yield pen(name="red")

    async with await serve([Pens()]) as running, Client(running.endpoint, timeout=20) as client:
        found = [item.name async for item in made.get("entities.pen:PenBase").listall(client=client)]
    assert found == ["blue", "red"]


async def test_a_watch_whose_items_contain_the_thing(fragment: Callable[..., Fragment]) -> None:
    body = """
    message Pen { string name = 1; }
    message Seen { Pen pen = 1; int32 drops = 2; }
    message WatchPensRequest { string desk = 1; }
    message WatchPensResponse { repeated Seen seen = 1; }
    service Pens { rpc WatchPens(WatchPensRequest) returns (stream WatchPensResponse); }
    """
    toml = """
    [entities.Pen]
    message = "test.Pen"
    service = "test.Pens"
    identity = "name"
    overlay = "pens:MyPen"
    [entities.Pen.methods]
    WatchPens = { name = "watchall", items = "seen", made_by = "_seen" }
    """
    made = fragment(proto(body), toml).generate()
    pen, seen, reply = (made.get(f"messages.test.test:{name}") for name in ("Pen", "Seen", "WatchPensResponse"))

    class Pens(made.get("services.test.pens:PensBase")):  # type: ignore[misc]
        async def watch_pens(self, request: Any, call: ServerCall) -> AsyncGenerator[Any]:
            yield reply(seen=[seen(pen=pen(name="blue"), drops=3), seen(pen=pen(name="red"), drops=4)])

    class MyPen(made.get("entities.pen:PenBase")):  # type: ignore[misc]
        @classmethod
        def _seen(cls, item: Any, client: Client) -> Any:
            mine = cls(item.pen, client)
            mine.drops = item.drops
            return mine

    async with await serve([Pens()]) as running, Client(running.endpoint, timeout=20) as client:
        found = []
        async for item in MyPen.watchall(desk="mine", client=client):
            found.append((type(item), item.pb2.name, item.drops))
            if len(found) == 2:
                break
    assert found == [(MyPen, "blue", 3), (MyPen, "red", 4)]


async def test_a_call_gives_what_the_server_replies(fragment: Callable[..., Fragment]) -> None:
    body = """
    message Pen { string name = 1; }
    message PenRequest { string name = 1; }
    message Ink { double millilitres = 1; }
    message Nothing {}
    service Pens {
      rpc MeasureInk(PenRequest) returns (Ink);
      rpc RefillInk(PenRequest) returns (Nothing);
    }
    """
    toml = '[entities.Pen]\nmessage = "test.Pen"\nservice = "test.Pens"\nidentity = "name"\n'
    made = fragment(proto(body), toml + "[entities.Pen.methods]\nMeasureInk = {}\nRefillInk = {}\n").generate()
    types, pen = made.load("messages.test.test"), made.get("entities.pen:PenBase")

    class Pens(made.get("services.test.pens:PensBase")):  # type: ignore[misc]
        async def measure_ink(self, request: Any, call: ServerCall) -> Any:
            return types.Ink(millilitres=len(request.name))

        async def refill_ink(self, request: Any, call: ServerCall) -> Any:
            return types.Nothing()

    async with await serve([Pens()]) as running, Client(running.endpoint, timeout=20) as client:
        blue = pen(types.Pen(name="blue"), client)
        assert await blue.measure.aio() == types.Ink(millilitres=4)
        assert await blue.refill.aio() is None
    assert "Returns:\n    The reply of the server." in (getdoc(pen.measure) or "")
    assert "Returns" not in (getdoc(pen.refill) or "")


async def test_a_page_in_a_message_of_its_own(fragment: Callable[..., Fragment]) -> None:
    """The pager fills size and token in a sub-message; its other fields are parameters."""
    body = """
    message Pen { string name = 1; }
    message Page { int32 page_size = 1; string page_token = 2; bool newest_first = 3; }
    message Part { repeated Pen pens = 1; string next_page_token = 2; }
    message ListPensRequest { Page page = 1; }
    message ListPensResponse { Part part = 1; }
    service Pens { rpc ListPens(ListPensRequest) returns (ListPensResponse); }
    """
    toml = '[entities.Pen]\nmessage = "test.Pen"\nservice = "test.Pens"\nidentity = "name"\nmethods.ListPens = {}\n'
    made = fragment(proto(body), toml).generate()
    types = made.load("messages.test.test")
    asked: list[Any] = []

    class Pens(made.get("services.test.pens:PensBase")):  # type: ignore[misc]
        async def list_pens(self, request: Any, call: ServerCall) -> Any:
            asked.append(request.page)
            name, token = ("red", "") if request.page.page_token else ("blue", "rest")
            return types.ListPensResponse(part=types.Part(pens=[types.Pen(name=name)], next_page_token=token))

    async with await serve([Pens()]) as running, Client(running.endpoint, timeout=20) as client:
        pager = made.get("entities.pen:PenBase").listall(newest_first=True, page_size=1, client=client)
        assert len(await pager.collect.aio()) == 2
    assert asked == [types.Page(page_size=1, page_token=token, newest_first=True) for token in ("", "rest")]


def test_what_creates_tells_that_there_may_be_one_already(fragment: Callable[..., Fragment]) -> None:
    pen = fragment(proto(BODY), TOML).generate().get("entities.pen:PenBase")
    assert "AlreadyExistsError: The name is taken." in (getdoc(pen.create) or "")
    assert "NotFoundError" not in (getdoc(pen.create) or "")
    assert "NotFoundError" in (getdoc(pen.get) or "")


ORG = """
message Id { string org = 1; string name = 2; uint32 copy = 3; }
message Pen { Id id = 1; }
message GetPenRequest { Id id = 1; }
message ListPensRequest {
  int32 page_size = 1;
  string page_token = 2;
  oneof scope { Id like = 3; string all = 4; }
}
message ListPensResponse { repeated Pen pens = 1; string next_page_token = 2; }
service Pens {
  rpc GetPen(GetPenRequest) returns (Pen);
  rpc ListPens(ListPensRequest) returns (ListPensResponse);
}
"""
ORG_TOML = """
[scope."test.Id"]
org = "org"
[entities.Pen]
message = "test.Pen"
service = "test.Pens"
identity = "id"
methods.GetPen = {}
"""


async def test_an_organization_alone_needs_no_project(fragment: Callable[..., Fragment]) -> None:
    made = fragment(proto(ORG), ORG_TOML + "methods.ListPens = {}").generate()
    types = made.load("messages.test.test")

    class Pens(made.get("services.test.pens:PensBase")):  # type: ignore[misc]
        async def get_pen(self, request: Any, call: ServerCall) -> Any:
            return types.Pen(id=request.id)

        async def list_pens(self, request: Any, call: ServerCall) -> Any:
            return types.ListPensResponse(pens=[types.Pen(id=request.like or types.Id(name=request.all))])

    async with await serve([Pens()]) as running, Client(running.endpoint, org="acme", timeout=20) as client:
        pen = made.get("entities.pen:PenBase")
        found = await pen.get.aio("blue", 2, client=client)
        assert found.pb2.id == types.Id(org="acme", name="blue", copy=2)
        # At most one member of a oneof is sent, so identifiers in it are not flattened.
        assert (await pen.listall(all="red", client=client).collect.aio())[0].pb2.id.name == "red"
        assert (await pen.listall(like=found.pb2.id, client=client).collect.aio())[0].pb2.id == found.pb2.id
        assert len(await pen.listall(client=client).collect.aio()) == 1


def test_the_only_member_of_a_oneof_that_is_left_is_taken_apart(fragment: Callable[..., Fragment]) -> None:
    made = fragment(proto(ORG), ORG_TOML + 'methods.ListPens = { omit = ["all"] }').generate()
    assert 'Pen.listall(cls, *, name: str = "", copy: int = 0, limit' in explain(made.config, "ListPens")
