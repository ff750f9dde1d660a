"""Spans of calls, as an exporter of OpenTelemetry receives them."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

import flyte.devbox
from flyte import errors
from flyte.devbox.services.project import ProjectService as DevboxProjects
from flyte.remote import Project, auth_metadata
from flyte_api.messages.flyteidl2.project.project_service import GetProjectRequest, GetProjectResponse
from flyte_rpc.calls.call_path import stream, unary
from flyte_rpc.calls.client import Client
from flyte_rpc.calls.options import call_options
from flyte_rpc.calls.retry import Backoff
from flyte_rpc.serving.server import RunningServer, ServerCall, serve
from flyte_rpc.sync import bridge
from remote.planes.project import ThreeProjects
from remote.span_provider import own_provider
from support.echo import Echo, EchoServer, Note
from support.transport_modes import MODE

_EXPORTER = InMemorySpanExporter()
over_grpc = pytest.mark.skipif(MODE.startswith("connect"), reason="spans over Connect have other attributes")
AT_ONCE = Backoff(attempts=4, first=0.0, longest=0.0)


@pytest.fixture(scope="module", autouse=True)
def provider() -> Iterator[None]:
    with own_provider():
        made = TracerProvider()
        made.add_span_processor(SimpleSpanProcessor(_EXPORTER))
        trace.set_tracer_provider(made)
        yield


@pytest.fixture
def spans() -> InMemorySpanExporter:
    _EXPORTER.clear()
    return _EXPORTER


@pytest.fixture
def echo() -> EchoServer:
    return EchoServer()


@pytest.fixture
async def server(echo: EchoServer) -> AsyncIterator[RunningServer]:
    async with await serve([echo, ThreeProjects()]) as running:
        yield running


@pytest.fixture
async def client(server: RunningServer) -> AsyncIterator[Client]:
    async with Client(server.endpoint, timeout=20, page_size=1, retry=AT_ONCE) as made:
        yield made


def finished(spans: InMemorySpanExporter) -> list[ReadableSpan]:
    found = list(spans.get_finished_spans())
    spans.clear()
    return found


def only(spans: InMemorySpanExporter) -> tuple[ReadableSpan, dict[str, Any]]:
    (span,) = finished(spans)
    return span, dict(span.attributes or {})


def traceparent(span: ReadableSpan) -> str:
    assert span.context is not None
    context = span.context
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"


@over_grpc
async def test_a_call_is_a_span(spans: InMemorySpanExporter, echo: EchoServer, client: Client) -> None:
    await unary(client, Echo.SAY, Note())
    span, attributes = only(spans)
    assert (span.name, span.kind, span.status.status_code) == ("test.Echo/Say", SpanKind.CLIENT, StatusCode.UNSET)
    request_id = echo.calls[0].request_id
    assert attributes == {
        "rpc.system": "grpc",
        "rpc.service": "test.Echo",
        "rpc.method": "Say",
        "rpc.grpc.status_code": 0,
        "server.address": "127.0.0.1",
        "server.port": client.settings.endpoint.port,
        "flyte_rpc.request_id": request_id,
    }
    assert echo.calls[0].metadata["traceparent"] == traceparent(span)
    assert span.events == ()


async def test_connect_has_its_own_attributes(spans: InMemorySpanExporter, server: RunningServer) -> None:
    async with Client(server.endpoint, transport="connect", timeout=20) as client:
        await unary(client, Echo.SAY, Note())
        with pytest.raises(errors.NotFoundError):
            await unary(client, Echo.SAY, Note(status="NOT_FOUND"))
    good, bad = (dict(span.attributes or {}) for span in finished(spans))
    assert good["rpc.system"] == bad["rpc.system"] == "connect_rpc"
    assert "rpc.connect_rpc.error_code" not in good
    assert bad["rpc.connect_rpc.error_code"] == "not_found"
    assert not any("grpc.status" in name for name in (*good, *bad))


async def test_attempts_are_events_of_one_span(spans: InMemorySpanExporter, echo: EchoServer, client: Client) -> None:
    echo.failures = [errors.Status.UNAVAILABLE] * 2
    await unary(client, Echo.SAY, Note())
    span, attributes = only(spans)
    assert [(event.name, (event.attributes or {})["flyte_rpc.attempt"]) for event in span.events] == [
        ("retry", 1),
        ("retry", 2),
    ]
    assert (span.events[0].attributes or {})["error.type"] == "UNAVAILABLE"
    assert attributes["flyte_rpc.retries"] == 2
    assert span.status.status_code is StatusCode.UNSET
    assert {call.metadata["traceparent"] for call in echo.calls} == {traceparent(span)}


@over_grpc
async def test_errors_are_recorded_without_secrets(spans: InMemorySpanExporter, client: Client) -> None:
    private = Note(status="PERMISSION_DENIED", message="no rights for Bearer secret-one")
    with auth_metadata(("authorization", "Bearer secret-one")), pytest.raises(errors.PermissionDeniedError):
        await unary(client, Echo.SAY, private)
    span, attributes = only(spans)
    assert (attributes["rpc.grpc.status_code"], attributes["error.type"]) == (7, "PERMISSION_DENIED")
    assert span.status.status_code is StatusCode.ERROR
    assert (span.status.description or "").startswith("no rights for ")
    assert [event.name for event in span.events] == ["exception"]
    assert "secret" not in span.to_json()


@over_grpc
async def test_other_ends_of_a_call(spans: InMemorySpanExporter, echo: EchoServer, client: Client) -> None:
    call = asyncio.create_task(unary(client, Echo.SAY, Note(hang=True)))
    await echo.entered.wait()
    call.cancel()
    await asyncio.wait([call])
    span, attributes = only(spans)
    assert (attributes["error.type"], attributes["rpc.grpc.status_code"]) == ("CANCELLED", 1)
    with pytest.raises(ValueError, match="timeout"):
        await unary(client, Echo.SAY, Note(), timeout=0)
    span, attributes = only(spans)
    assert (span.status.status_code, attributes["error.type"]) == (StatusCode.ERROR, "ValueError")
    assert "rpc.grpc.status_code" not in attributes


@over_grpc
async def test_a_stream_is_one_span(spans: InMemorySpanExporter, echo: EchoServer, client: Client) -> None:
    assert [note.n async for note in stream(client, Echo.COUNT, Note(to=3))] == [0, 1, 2]
    span, attributes = only(spans)
    assert (span.name, attributes["rpc.grpc.status_code"]) == ("test.Echo/Count", 0)
    assert echo.calls[0].metadata["traceparent"] == traceparent(span)
    async with aclosing(stream(client, Echo.COUNT, Note(to=3, hang=True))) as notes:
        async for _ in notes:
            break
        assert spans.get_finished_spans() == ()
    span, attributes = only(spans)
    assert (span.status.status_code, attributes["rpc.grpc.status_code"]) == (StatusCode.UNSET, 1)
    with pytest.raises(errors.InternalError):
        async for _ in stream(client, Echo.COUNT, Note(to=1, status="INTERNAL")):
            pass
    span, attributes = only(spans)
    assert (span.status.status_code, attributes["error.type"]) == (StatusCode.ERROR, "INTERNAL")


async def test_spans_are_children_of_the_current_one(spans: InMemorySpanExporter, client: Client) -> None:
    def blocking() -> None:
        with trace.get_tracer("test").start_as_current_span("parent"):
            bridge.run(unary(client, Echo.SAY, Note()))
            assert len(list(Project.listall(client=client))) == 3

    await asyncio.to_thread(blocking)
    *calls, parent = finished(spans)
    assert [span.name.rpartition("/")[2] for span in calls] == ["Say"] + ["ListProjects"] * 3
    assert parent.context is not None
    assert {span.parent and span.parent.span_id for span in calls} == {parent.context.span_id}


async def test_headers_of_the_caller_win(spans: InMemorySpanExporter, echo: EchoServer, client: Client) -> None:
    own = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with call_options(metadata=[("traceparent", own)]):
        await unary(client, Echo.SAY, Note())
    assert echo.calls[0].metadata["traceparent"] == own
    assert len(finished(spans)) == 1


@pytest.mark.parametrize("names", ["flyte_rpc", "requests, flyte_rpc", "*"])
async def test_they_can_be_turned_off(
    names: str, spans: InMemorySpanExporter, echo: EchoServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", names)
    await unary(client, Echo.SAY, Note())
    assert [note.n async for note in stream(client, Echo.COUNT, Note(to=1))] == [0]
    assert finished(spans) == []
    assert not any("traceparent" in call.metadata for call in echo.calls)
    monkeypatch.setenv("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "requests")
    await unary(client, Echo.SAY, Note())
    assert len(finished(spans)) == 1


def test_the_devbox_receives_the_trace(spans: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch) -> None:
    received: list[ServerCall] = []
    answer = DevboxProjects.get_project

    async def record(self: DevboxProjects, request: GetProjectRequest, call: ServerCall) -> GetProjectResponse:
        received.append(call)
        return await answer(self, request, call)

    monkeypatch.setattr(DevboxProjects, "get_project", record)
    with flyte.devbox.start(memory=True) as box, Client(box.endpoint, token=box.token, timeout=60) as client:
        Project.get("flytesnacks", client=client)
    span, _ = only(spans)
    assert [call.metadata["traceparent"] for call in received] == [traceparent(span)]
    assert box.token not in span.to_json()


_CALL = """
import asyncio, sys
from flyte.remote import Project
from flyte_rpc.calls.client import Client
with Client(sys.argv[1], timeout=60) as client:
    Project.get("a", client=client)
import json
print(json.dumps([name for name in sys.modules if name.startswith("opentelemetry")]))
"""


async def test_programs_without_traces_do_not_pay(server: RunningServer) -> None:
    """Even though the package is installed here."""
    command = [sys.executable, "-c", _CALL, server.endpoint]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


_WITHOUT_SDK = """
import sys
from opentelemetry import context, propagate
from flyte.remote import Project
from flyte_rpc.calls.client import Client
with Client(sys.argv[1], timeout=60) as client:
    Project.get("a", client=client)
    context.attach(propagate.extract({"traceparent": sys.argv[2]}))
    Project.get("b", client=client)
"""


async def test_without_a_provider_the_context_is_passed_on() -> None:
    projects, parent = ThreeProjects(), "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    async with await serve([projects]) as server:
        command = [sys.executable, "-c", _WITHOUT_SDK, server.endpoint, parent]
        await asyncio.to_thread(subprocess.run, command, check=True)
    assert [call.metadata.get("traceparent") for call in projects.calls] == [None, parent]
