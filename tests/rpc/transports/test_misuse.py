"""Calls that cannot work are rejected with a remedy, and before anything is sent, by every transport alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from flyte import errors
from flyte_rpc.serving.server import RunningServer
from flyte_rpc.transports.choice import transport_factory
from flyte_rpc.transports.connect.transport import ConnectTransport
from flyte_rpc.transports.endpoint import parse_endpoint
from flyte_rpc.transports.transport import StreamingCall, Transport
from support.echo import Echo, EchoServer, Note
from support.peers import raw_server

CHAT, SUM, SAY = Echo.CHAT.path, Echo.SUM.path, Echo.SAY.path
NAMES = ["grpc", "grpclib", "connect", "connect-2", "auto"]
BIG = bytes(Note(n=1, big="x" * 30_000_000))


def opened(name: str, endpoint: str) -> Transport:
    where = parse_endpoint(endpoint)
    if name == "connect-2":
        return ConnectTransport(where, http="2")
    return transport_factory(name, "tests")(where)  # type: ignore[arg-type]


@pytest.fixture(params=NAMES)
async def transport(request: pytest.FixtureRequest, server: RunningServer) -> AsyncGenerator[Transport, None]:
    made = opened(request.param, server.endpoint)
    yield made
    await made.aclose()


async def begun(step: Awaitable[object]) -> asyncio.Future[object]:
    """A task that has begun to wait."""
    task = asyncio.ensure_future(step)
    done, _ = await asyncio.wait([task], timeout=0.05)
    assert not done
    return task


class TestTwoTasks:
    async def test_a_second_receiver_is_rejected(self, transport: Transport) -> None:
        async with transport.open(CHAT, [], 20) as call:
            first = await begun(call.receive())
            with pytest.raises(RuntimeError, match=r"another task is waiting in receive\(\).* asyncio.Queue"):
                await call.receive()
            assert await call.send(bytes(Note(n=2)))
            assert Note.parse(await first or b"").n == 4  # type: ignore[arg-type]

    async def test_a_second_sender_is_rejected(self, transport: Transport, echo: EchoServer) -> None:
        echo.reading.clear()
        async with transport.open(SUM, [], 20, bidirectional=False) as call:
            await call.send(bytes(Note(n=1)))
            while not echo.entered.is_set():
                await asyncio.sleep(0)
            sending = asyncio.ensure_future(full(call))
            await asyncio.wait([sending], timeout=0.5)
            assert not sending.done(), "the server does not read"
            for step in (call.send(b""), call.end()):
                with pytest.raises(RuntimeError, match=r"another task is sending.* asyncio.Lock"):
                    await step
            echo.reading.set()
            sending.cancel()

    async def test_the_deadline_ends_both_waits(self, transport: Transport, echo: EchoServer) -> None:
        echo.reading.clear()
        async with asyncio.timeout(10), transport.open(SUM, [], 0.5, bidirectional=False) as call:
            _, failure = await asyncio.gather(full(call), call.receive(), return_exceptions=True)
            assert isinstance(failure, errors.DeadlineExceededError)


async def full(call: StreamingCall) -> None:
    """Send until the call takes no more."""
    while await call.send(BIG):
        pass


class TestAfterTheBlock:
    async def test_the_call_is_over(self, transport: Transport) -> None:
        async with transport.open(SUM, [], 20, bidirectional=False) as call:
            pass
        steps: list[Callable[[], Awaitable[object]]] = [lambda: call.send(b""), call.end, call.receive]
        for step in steps:
            with pytest.raises(RuntimeError, match="the block of this call was left"):
                await step()

    async def test_tasks_that_still_wait_are_woken(self, transport: Transport) -> None:
        async with asyncio.timeout(10):
            async with transport.open(SUM, [], 20, bidirectional=False) as call:
                receiving = await begun(call.receive())
            with pytest.raises(RuntimeError, match="the block of this call was left"):
                await receiving


class TestArguments:
    @pytest.mark.parametrize("name", NAMES)
    @pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf")])
    async def test_a_timeout_is_positive_and_finite(self, name: str, timeout: float) -> None:
        async with rejecting(name) as transport:
            for call in calls(transport, SAY, timeout):
                with pytest.raises(ValueError, match=r"timeout is .*; it must be"):
                    await call

    @pytest.mark.parametrize("name", NAMES)
    @pytest.mark.parametrize("timeout", ["1", True])
    async def test_a_timeout_is_a_number(self, name: str, timeout: Any) -> None:
        async with rejecting(name) as transport:
            for call in calls(transport, SAY, timeout):
                with pytest.raises(TypeError, match=r"timeout takes a number of seconds, not (str|bool)"):
                    await call

    @pytest.mark.parametrize("name", NAMES)
    @pytest.mark.parametrize("path", ["", "/", "a.B/C", "/a.B/C D", "/a.B/C\r\nx-evil: 1", "/a.B/é"])
    async def test_a_path_cannot_end_the_request_line(self, name: str, path: str) -> None:
        async with rejecting(name) as transport:
            for call in calls(transport, path, 20):
                with pytest.raises(ValueError, match=r"is not the path of a method. Write /package.Service/Method"):
                    await call


def rejecting(name: str, endpoint: str = "http://127.0.0.1:1") -> aclosing[Transport]:  # type: ignore[type-var]
    """A transport. Nothing listens at its default endpoint, so that what reaches the network fails with another error."""
    return aclosing(opened(name, endpoint))  # type: ignore[type-var]


def calls(transport: Transport, path: str, timeout: float) -> list[Awaitable[object]]:
    async def opening() -> None:
        async with transport.open(path, [], timeout, bidirectional=False):
            pass

    return [transport.unary(path, b"", [], timeout), anext(transport.server_stream(path, b"", [], timeout)), opening()]


async def test_another_event_loop_is_rejected(transport: Transport) -> None:
    await transport.unary(SAY, bytes(Note(n=1)), [], 20)
    async with transport.open(SUM, [], 20, bidirectional=False) as call:
        for step in [*calls(transport, SAY, 20), call.send(b""), call.receive(), call.end()]:
            with pytest.raises(RuntimeError, match=r"this connection belongs to another event loop.*share a Client"):
                await asyncio.to_thread(asyncio.run, awaited(step))


async def awaited(step: Awaitable[object]) -> object:
    return await step


async def test_a_closed_client_says_what_to_do(transport: Transport) -> None:
    await transport.aclose()
    with pytest.raises(errors.ConnectionLostError, match=r"the client was closed.* Create a new Client"):
        await transport.unary(SAY, b"", [], 20)


class TestUnixSockets:
    @pytest.mark.parametrize("name", NAMES)
    @pytest.mark.parametrize(
        ("kind", "shown"),
        [
            ("file", "is a regular file, not a socket"),
            ("folder", "is a directory, not a socket"),
            ("", "there is no socket"),
        ],
    )
    async def test_something_else_at_the_path(self, name: str, kind: str, shown: str, tmp_path: Path) -> None:
        path = tmp_path / "server"
        if kind == "file":
            path.touch()
        elif kind == "folder":
            path.mkdir()
        async with rejecting(name, f"unix://{path}") as transport:
            with pytest.raises(errors.EndpointError, match=shown) as raised:
                await transport.unary(SAY, b"", [], 20)
        assert str(path) in str(raised.value) and "check the path" in str(raised.value)


@pytest.mark.parametrize("name", ["grpc", "grpclib"])
async def test_an_http1_server_that_keeps_the_socket_open(name: str) -> None:
    """It says no more, so that the deadline would be the next event."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
        await reader.read(-1)

    async with raw_server(talk) as address, asyncio.timeout(5), rejecting(name, f"http://{address}") as transport:
        with pytest.raises(errors.EndpointError, match=r"speaks HTTP/1.1, not gRPC \('HTTP/1.1 400 Bad Request'\)"):
            await transport.unary(SAY, b"", [], 20)
