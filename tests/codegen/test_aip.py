"""Definitions in the style of Google's API guide: methods reply with the thing itself, names are plain text."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from inspect import getdoc
from typing import Any

from flyte.runtime.client import Client
from flyte.runtime.server import ServerCall, serve
from flyte_codegen.explain import explain
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
    """Its only message field, a time, is not what was asked for."""
    made = fragment(proto(BODY), TOML).generate()
    source = (made.path / "entities/pen.py").read_text("utf-8")
    assert source.count("return cls._of(reply, caller)") == 2
    assert 'items=""' in source
    assert "  method     Pen.get(cls, *, name: str" in explain(made.config, "GetPen")


async def test_a_watch_of_the_thing_itself(fragment: Callable[..., Fragment]) -> None:
    made = fragment(proto(BODY), TOML).generate()
    pen = made.get("messages.test.test:Pen")

    class Pens(made.get("services.test.pens:PensBase")):  # type: ignore[misc]
        async def watch_pen(self, request: Any, call: ServerCall) -> AsyncGenerator[Any]:
            yield pen(name=request.name)

    async with await serve([Pens()]) as running, Client(running.endpoint, timeout=20) as client:
        async for found in made.get("entities.pen:PenBase").watch(name="blue", client=client):
            assert found.pb2 == pen(name="blue")
            break


def test_what_creates_tells_that_there_may_be_one_already(fragment: Callable[..., Fragment]) -> None:
    pen = fragment(proto(BODY), TOML).generate().get("entities.pen:PenBase")
    assert "AlreadyExistsError: There is one of that name." in (getdoc(pen.create) or "")
    assert "NotFoundError" not in (getdoc(pen.create) or "")
    assert "NotFoundError" in (getdoc(pen.get) or "")
