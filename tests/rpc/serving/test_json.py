"""Messages as JSON, as curl and browsers send them, to a generated service."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from flyte_api.messages.flyteidl2.project.project_service import (
    GetProjectRequest,
    GetProjectResponse,
    ListProjectsRequest,
    ListProjectsResponse,
    Project,
    ProjectState,
)
from flyte_api.messages.google.protobuf.duration import Duration
from flyte_api.messages.google.protobuf.timestamp import Timestamp
from flyte_api.services.flyteidl2.project.project_service import ProjectService, ProjectServiceBase
from flyte_rpc.calls.rpc import Cardinality, Effect, Rpc
from flyte_rpc.serving.server import RunningServer, ServerCall, ServiceBase, Status, abort, serve
from support.connect_client import GoClient, go_client
from support.echo import Echo, EchoServer

GET, LIST = ProjectService.GET_PROJECT.path, ProjectService.LIST_PROJECTS.path
TICKS = "/test.Clock/Ticks"
LAST = "/test.Clock/Last"

DURATION, TIMESTAMP = (
    f"flyte_api.messages.google.protobuf.{name.lower()}:{name}" for name in ("Duration", "Timestamp")
)

pytestmark = pytest.mark.usefixtures("quiet")


class Projects(ProjectServiceBase):
    async def get_project(self, request: GetProjectRequest, call: ServerCall) -> GetProjectResponse:
        if not request.id:
            abort(Status.INVALID_ARGUMENT, "the id is missing")
        return GetProjectResponse(
            project=Project(id=request.id, name="Größe", org=request.org, state=ProjectState.ARCHIVED)
        )

    async def list_projects(self, request: ListProjectsRequest, call: ServerCall) -> ListProjectsResponse:
        return ListProjectsResponse()


class Clock(ServiceBase):
    """Its messages are of types that have a JSON form of their own."""

    RPCS = (
        ("ticks", Rpc(TICKS, DURATION, TIMESTAMP, Cardinality.SERVER_STREAM, Effect.READ)),
        ("last", Rpc(LAST, TIMESTAMP, TIMESTAMP, Cardinality.CLIENT_STREAM, Effect.READ)),
    )

    async def ticks(self, request: Duration, call: ServerCall) -> AsyncIterator[Timestamp]:
        for second in range(request.seconds):
            yield Timestamp(seconds=second)

    async def last(self, requests: AsyncIterator[Timestamp], call: ServerCall) -> Timestamp:
        return max([request async for request in requests], key=lambda moment: moment.seconds)


@pytest.fixture
async def server() -> AsyncGenerator[RunningServer, None]:
    async with await serve([Projects(), Clock(), EchoServer()]) as running:
        yield running


@pytest.fixture
async def go(go_program: Path, server: RunningServer) -> AsyncGenerator[GoClient, None]:
    async with go_client(go_program, server.endpoint) as client:
        yield client


@pytest.mark.parametrize("http", ["1.1", "2"])
class TestConnectGo:
    @pytest.mark.parametrize("options", [{}, {"get": True}, {"gzip": True}, {"protocol": "grpc-web"}])
    async def test_unary_calls(self, go: GoClient, http: str, options: dict[str, Any]) -> None:
        given = {"http": http, "codec": "json", **options}
        project = {"id": "a", "name": "Größe", "org": "o" * 5000, "state": "PROJECT_STATE_ARCHIVED"}
        ended = await go.call(GET, {"id": "a", "org": "o" * 5000, "newField": {"x": 1}}, **given)
        assert ended == ([{"project": project}], "", "", [])
        ended = await go.call(GET, {}, **given)
        assert (ended.code, ended.message) == ("invalid_argument", "the id is missing")

    @pytest.mark.parametrize("protocol", ["connect", "grpc-web"])
    async def test_streams(self, go: GoClient, http: str, protocol: str) -> None:
        given: dict[str, Any] = {"http": http, "codec": "json", "protocol": protocol}
        ended = await go.call(TICKS, "2s", kind="server", **given)  # type: ignore[arg-type]
        assert ended.replies == ["1970-01-01T00:00:00Z", "1970-01-01T00:00:01Z"]
        ended = await go.call(LAST, *ended.replies, kind="client", **given)
        assert ended.replies == ["1970-01-01T00:00:01Z"]
        ended = await go.call(TICKS, {"seconds": 2}, kind="server", **given)
        assert ended.code == "invalid_argument" and "Duration" in ended.message


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
class TestCurl:
    @staticmethod
    async def curl(*arguments: str) -> tuple[int, bytes]:
        """Status and body."""
        process = await asyncio.create_subprocess_exec(
            "curl", "-sS", "-w", "\n%{http_code}", *arguments, stdout=asyncio.subprocess.PIPE
        )
        out, _ = await process.communicate()
        body, _, status = out.rpartition(b"\n")
        return int(status), body

    @pytest.mark.parametrize("version", ["--http1.1", "--http1.0", "--http2", "--http2-prior-knowledge"])
    async def test_calls(self, server: RunningServer, version: str) -> None:
        kind = ("-H", "Content-Type: application/json")
        url = server.endpoint + GET
        status, body = await self.curl(version, *kind, "-d", '{"id": "a"}', url)
        assert status == 200
        assert json.loads(body) == {"project": {"id": "a", "name": "Größe", "state": "PROJECT_STATE_ARCHIVED"}}
        status, body = await self.curl(version, *kind, "-d", "", server.endpoint + LIST)
        assert (status, body) == (200, b"{}")
        status, body = await self.curl(
            version, "-G", "-d", "encoding=json", "--data-urlencode", 'message={"id": "ä"}', url
        )
        assert status == 200 and json.loads(body)["project"]["id"] == "ä"
        status, body = await self.curl(version, *kind, "-d", '{"id": 5}', url)
        assert status == 400 and json.loads(body) == {
            "code": "invalid_argument",
            "message": "the request is not a GetProjectRequest: GetProjectRequest.id takes string, not int",
        }
        status, body = await self.curl(version, *kind, "-d", "{", url)
        assert status == 400 and json.loads(body)["code"] == "invalid_argument"
        status, body = await self.curl(version, *kind, "-d", "[" * 100_000, url)
        assert status == 400 and json.loads(body)["code"] == "invalid_argument"
        status, body = await self.curl(
            version, "--compressed", *kind, "-d", f'{{"id": "a", "org": "{"o" * 5000}"}}', url
        )
        assert status == 200 and json.loads(body)["project"]["org"] == "o" * 5000

    @pytest.mark.parametrize("version", ["--http1.1", "--http2-prior-knowledge"])
    async def test_messages_without_json(self, server: RunningServer, version: str) -> None:
        kind = ("-H", "Content-Type: application/json")
        status, body = await self.curl(version, *kind, "-d", "{}", server.endpoint + Echo.SAY.path)
        assert (status, body) == (415, b"the messages of test.Echo.Say have no JSON form; send protobuf\n")

    @pytest.mark.parametrize("version", ["--http1.1", "--http2-prior-knowledge"])
    async def test_an_upload_that_waits_to_be_asked(self, server: RunningServer, version: str) -> None:
        kind = ("-H", "Content-Type: application/json", "-H", "Expect: 100-continue")
        data = json.dumps({"id": "a", "org": "o" * 1_500_000})
        process = await asyncio.create_subprocess_exec(
            *("curl", "-sS", version, *kind, "-d", "@-", server.endpoint + GET),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await process.communicate(data.encode())
        assert json.loads(out)["project"]["org"] == "o" * 1_500_000
