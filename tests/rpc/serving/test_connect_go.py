"""A client on connect-go, in all protocols, against our server."""

from __future__ import annotations

from base64 import b64decode
from itertools import product
from typing import Any

import pytest

from flyte_api.messages.google.protobuf.duration import Duration
from flyte_rpc.serving.server import RunningServer, Status
from support.connect_client import GoClient
from support.echo import Echo, EchoServer

SAY, COUNT, SUM, CHAT, MISSING = (rpc.path for rpc in (Echo.SAY, Echo.COUNT, Echo.SUM, Echo.CHAT, Echo.MISSING))

WIRES = [
    pytest.param({"protocol": protocol, "http": http}, id=f"{protocol}-{http}")
    for protocol, http in [*product(("connect", "grpc-web"), ("1.1", "2")), ("grpc", "2")]
]

pytestmark = pytest.mark.usefixtures("quiet")


@pytest.fixture(params=WIRES)
def wire(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Protocol and version of HTTP."""
    found: dict[str, Any] = request.param
    return found


async def test_unary_calls(go: GoClient, wire: dict[str, Any]) -> None:
    for n in range(3):
        assert await go.call(SAY, {"n": n}, **wire) == ([{"n": n}], "", "", [])


async def test_server_streams(go: GoClient, wire: dict[str, Any]) -> None:
    ended = await go.call(COUNT, {"to": 3}, kind="server", **wire)
    assert ended == ([{"n": 0}, {"n": 1}, {"n": 2}], "", "", [])
    assert await go.call(COUNT, {"to": 0}, kind="server", **wire) == ([], "", "", [])


async def test_client_streams(go: GoClient, wire: dict[str, Any]) -> None:
    assert await go.call(SUM, *({"n": n} for n in range(5)), kind="client", **wire) == ([{"total": 10}], "", "", [])
    assert await go.call(SUM, kind="client", **wire) == ([{"total": 0}], "", "", [])


async def test_streams_in_both_directions(go: GoClient, wire: dict[str, Any]) -> None:
    ended = await go.call(CHAT, *({"n": n} for n in range(3)), kind="bidi", **wire)
    if wire["http"] == "2":
        assert ended == ([{"n": 0}, {"n": 2}, {"n": 4}], "", "", [])
    else:
        assert ended.replies == [] and "505" in ended.message


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.OK], ids=lambda s: s.name)
async def test_errors(go: GoClient, wire: dict[str, Any], status: Status) -> None:
    code = "canceled" if status is Status.CANCELLED else status.name.lower()
    asked = {"status": status.name, "message": "não, 100%\nnow", "details": True}
    ended = await go.call(SAY, asked, **wire)
    assert (ended.replies, ended.code, ended.message) == ([], code, "não, 100%\nnow")
    (detail,) = ended.details
    assert detail["type"] == "google.protobuf.Duration"
    assert Duration.parse(b64decode(detail["value"])) == Duration(seconds=90)
    ended = await go.call(COUNT, {"to": 2, "status": status.name}, kind="server", **wire)
    assert ended == ([{"n": 0}, {"n": 1}], code, "after the last", [])


async def test_a_method_that_does_not_exist(go: GoClient, wire: dict[str, Any]) -> None:
    ended = await go.call(MISSING, {}, **wire)
    assert ended.code == "unimplemented"


async def test_deadlines(go: GoClient, wire: dict[str, Any], echo: EchoServer) -> None:
    ended = await go.call(SAY, {"hang": True}, timeout=100, **wire)
    assert ended.code == "deadline_exceeded"
    await echo.cancelled.wait()
    echo.cancelled.clear()
    ended = await go.call(COUNT, {"to": 1, "hang": True}, kind="server", timeout=100, **wire)
    assert (ended.replies, ended.code) == ([{"n": 0}], "deadline_exceeded")
    await echo.cancelled.wait()
    assert all(0 < (call.deadline or 0) <= 0.1 for call in echo.calls)


async def test_cancelling(go: GoClient, wire: dict[str, Any], echo: EchoServer) -> None:
    ended = await go.call(COUNT, {"to": 2, "hang": True}, kind="server", cancel=2, **wire)
    assert (ended.replies, ended.code) == ([{"n": 0}, {"n": 1}], "canceled")
    await echo.cancelled.wait()
    assert (await go.call(SAY, {"n": 1}, **wire)).code == ""


@pytest.mark.parametrize("kind", ["unary", "server", "client"])
async def test_compressed_requests(go: GoClient, wire: dict[str, Any], kind: str) -> None:
    path = {"unary": SAY, "server": COUNT, "client": SUM}[kind]
    padding = "x" * 5_000
    if wire["protocol"] == "grpc":
        pytest.skip("the gRPC side reads no compressed requests")
    ended = await go.call(path, {"n": 1, "to": 1, "padding": padding}, kind=kind, gzip=True, **wire)
    assert ended.code == "" and len(ended.replies) == 1


async def test_large_messages(go: GoClient, wire: dict[str, Any]) -> None:
    big = "x" * 20_000_000
    (reply,) = (await go.call(SAY, {"big": big}, **wire)).replies
    assert reply == {"big": big}
    ended = await go.call(COUNT, {"to": 3, "size": 2_000_000}, kind="server", **wire)
    assert [len(reply["big"]) for reply in ended.replies] == [2_000_000] * 3


async def test_headers_reach_the_handler(go: GoClient, wire: dict[str, Any], echo: EchoServer) -> None:
    headers = {"x-request-id": "r1", "authorization": "Bearer hunter2", "x-mine": "a b"}
    await go.call(SAY, {}, headers=headers, **wire)
    (call,) = echo.calls
    assert (call.path, call.request_id, call.deadline) == (SAY, "r1", None)
    assert call.peer.startswith("127.0.0.1:")
    sent_by_go = {"x-user-agent"}  # with gRPC-Web
    assert {name: value for name, value in call.metadata.items() if name not in sent_by_go} == headers


async def test_get_requests(go: GoClient, http: str, echo: EchoServer) -> None:
    ended = await go.call(SAY, {"n": 1, "text": "é & %"}, get=True, http=http)
    assert ended.replies == [{"n": 1, "text": "é & %"}]
    ended = await go.call(SAY, {"status": "NOT_FOUND"}, get=True, http=http)
    assert ended.code == "not_found"


@pytest.fixture(params=["1.1", "2"])
def http(request: pytest.FixtureRequest) -> str:
    """The version of HTTP."""
    return str(request.param)


async def test_messages_without_json(go: GoClient, http: str, server: RunningServer) -> None:
    ended = await go.call(SAY, {"n": 1}, codec="json", http=http)
    assert ended.code == "unknown" and ended.message == "415 Unsupported Media Type"
