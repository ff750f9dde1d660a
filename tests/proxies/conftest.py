"""Foreign proxies and servers on loopback, and a table of what passed with each. `make interop` runs these tests."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from flyte_rpc.calls.call_path import unary
from flyte_rpc.calls.client import CallRecord, Client
from flyte_rpc.calls.retry import Backoff
from flyte_rpc.serving.server import RunningServer, Status, serve
from rpc.conftest import certificate as certificate
from support.connect_server import STATS, ConnectServer, build, connect_server
from support.echo import Echo, EchoServer, Note

from . import programs
from .configurations import STARTS, Running, Settings, free_port
from .results import Results

PROXIES = list(STARTS)
SERVERS = ["grpc-go", "grpc-js"]
CONNECT = [f"{name}*" for name in PROXIES]
"""Proxies that carry Connect over HTTP/1.1 on both sides."""

Start = Callable[..., str]


class Peer(NamedTuple):
    """What answers the client, and how the tests talk to it."""

    name: str
    endpoint: str
    status: Callable[[Status], Any]
    """How a request asks for a status."""
    writes: Callable[[], Awaitable[int]]
    """How many writes were carried out since the last time."""

    @property
    def connect(self) -> bool:
        return self.name.endswith("*")


@pytest.fixture
async def echo() -> EchoServer:
    return EchoServer()


@pytest.fixture
async def server(echo: EchoServer) -> AsyncGenerator[RunningServer, None]:
    async with await serve([echo]) as running:
        yield running


@pytest.fixture
def calls() -> list[CallRecord]:
    """The attempts of the client."""
    return []


@pytest.fixture
def proxies() -> Iterator[dict[str, Running]]:
    """The proxies that the test has started, by name. They end with the test."""
    running: dict[str, Running] = {}
    yield running
    for each in running.values():
        each.process.terminate()
        try:
            each.process.wait(10)
        except subprocess.TimeoutExpired:  # it waits for connections that the test has left
            each.process.kill()
            each.process.wait()


@pytest.fixture
def start(tmp_path: Path, proxies: dict[str, Running], record_property: Callable[[str, object], None]) -> Start:
    """Starts a proxy in front of a port. Returns its endpoint."""

    def run(name: str, backend: int, *, connect: bool = False, requests: int = 1000, idle: int = 60) -> str:
        record_property("peer", f"{name}*" if connect else name)
        record_property("version", programs.version(name))
        port = free_port()
        proxies[name] = STARTS[name](Settings(tmp_path, port, backend, connect, requests, idle))
        return f"http://127.0.0.1:{port}"

    return run


@pytest.fixture(scope="session")
def grpc_go(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Builds the grpc-go server at the first call."""
    return programs.once(lambda: programs.build_grpc_go(tmp_path_factory.mktemp("grpc_go")))


@pytest.fixture(scope="session")
def grpc_js(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Installs the grpc-js server at the first call."""
    return programs.once(lambda: programs.build_grpc_js(tmp_path_factory.mktemp("grpc_js")))


@pytest.fixture
def start_server(
    grpc_go: Callable[[], Path], grpc_js: Callable[[], Path], record_property: Callable[[str, object], None]
) -> Iterator[Start]:
    """Starts a foreign gRPC server. Returns its endpoint."""
    with ExitStack() as running:

        def run(name: str, *, idle: float = 0, age: float = 0) -> str:
            record_property("peer", name)
            go = name == "grpc-go"
            command: list[str | Path] = [grpc_go()] if go else [programs.program("node"), grpc_js()]
            record_property("version", programs.grpc_go_version() if go else programs.grpc_js_version())
            port = running.enter_context(programs.listening_server([*command, str(idle), str(age)]))
            return f"http://127.0.0.1:{port}"

        yield run


@pytest.fixture(scope="session")
def connect_go(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], ConnectServer]]:
    """Runs the connect-go server from the first call on."""
    running: list[ConnectServer] = []
    with ExitStack() as stack:

        def get() -> ConnectServer:
            if not running:
                program = build(tmp_path_factory.mktemp("connect_go"))
                certificate: Path = request.getfixturevalue("certificate")
                running.append(stack.enter_context(connect_server(program, certificate)))
            running[0].reset()
            return running[0]

        yield get


async def counted(endpoint: str, transport: Any) -> int:
    """How many writes a server with a method for its counters has carried out."""
    async with Client(endpoint, timeout=20, transport=transport) as client:
        return int((await unary(client, STATS, Note())).calls.get("Write", 0))


@pytest.fixture(params=[*PROXIES, *SERVERS, *CONNECT])
async def peer(
    request: pytest.FixtureRequest,
    start: Start,
    start_server: Start,
    server: RunningServer,
    echo: EchoServer,
    connect_go: Callable[[], ConnectServer],
) -> Peer:
    """Each proxy and server in turn."""
    name: str = request.param
    request.node.user_properties.append(("peer", name))

    async def written() -> int:
        count = sum(call.path == Echo.WRITE.path for call in echo.calls)
        echo.calls.clear()
        return count

    if name in SERVERS:
        endpoint = start_server(name)
        return Peer(name, endpoint, int, lambda: counted(endpoint, "grpc"))
    if name in PROXIES:
        endpoint = start(name, server.port)
        made = Peer(name, endpoint, lambda status: status.name, written)
    else:
        backend = connect_go().endpoints["http1"]
        endpoint = start(name.removesuffix("*"), int(backend.rpartition(":")[2]), connect=True)
        made = Peer(name, endpoint, int, lambda: counted(backend, "connect"))
    await listening(made.endpoint)
    return made


@pytest.fixture
async def client(peer: Peer, calls: list[CallRecord]) -> AsyncGenerator[Client, None]:
    transport: Any = "connect" if peer.connect else "auto"
    async with Client(
        peer.endpoint, timeout=60, retry=Backoff(4, 0.01, 0.1), on_call=calls.append, transport=transport
    ) as made:
        yield made


async def listening(endpoint: str) -> None:
    """Wait until a proxy accepts connections."""
    host, _, port = endpoint.removeprefix("http://").rpartition(":")
    async with asyncio.timeout(20):
        while True:
            try:
                _, writer = await asyncio.open_connection(host, int(port))
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return


_results = Results([*PROXIES, *SERVERS, *CONNECT])


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    _results.add(report)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in _results.lines():
        terminalreporter.write_line(line)
