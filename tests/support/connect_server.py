"""Servers of the Connect protocol: connect-go, built from `connect_go`, and scripted HTTP/1.1."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import urllib.request
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from flyte_rpc.calls.rpc import Cardinality, Effect, Rpc

from .echo import Note
from .peers import raw_server

STATS: Final[Rpc[Note, Note]] = Rpc(
    "/test.Echo/Stats", "support.echo:Note", "support.echo:Note", Cardinality.UNARY, Effect.READ
)
"""Counters of the server, as soon as `n` calls were entered that hang, and `to` of them were cancelled."""

_SOURCE = Path(__file__).with_name("connect_go")


class ConnectServer:
    """A running connect-go server, which listens on a port for each way of setting up servers and proxies."""

    def __init__(self, endpoints: dict[str, str]) -> None:
        self.endpoints = endpoints

    def reset(self) -> None:
        """Start all counters again."""
        urllib.request.urlopen(f"{self.endpoints['http1']}/reset", timeout=20).read()


def build(folder: Path, package: str = ".") -> Path:
    """Build the server, or the client in `./client`. Skips the test where that is impossible."""
    go = shutil.which("go")
    if go is None:
        pytest.skip("Go is needed to build programs on connect-go: https://go.dev/dl")
    program = folder / "connect_go"
    done = subprocess.run([go, "build", "-o", program, package], cwd=_SOURCE, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"connect-go cannot be built:\n{done.stderr}")
    return program


@contextmanager
def connect_server(program: Path, certificate: Path) -> Iterator[ConnectServer]:
    """Run the server."""
    with subprocess.Popen([program, certificate], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None
        try:
            yield ConnectServer(json.loads(process.stdout.readline()))
        finally:
            process.stdin.close()  # which ends it
            process.wait(20)


class HttpPeer:
    """What a scripted HTTP/1.1 server has seen."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, bytes]] = []
        """Heads and bodies."""
        self.connections = 0
        self.closed = asyncio.Event()
        """Set when a client has closed a connection."""
        self.replied = asyncio.Event()


@asynccontextmanager
async def http1_server(answer: Callable[[int], bytes | None]) -> AsyncGenerator[tuple[str, HttpPeer], None]:
    """An HTTP/1.1 server. Gives its endpoint, and what it has seen.

    Args:
        answer: The bytes of the reply to the n-th request, counted from 1; None to close the connection. A connection is
            closed after a reply that announces it with `connection: close`.
    """
    peer = HttpPeer()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer.connections += 1
        while True:
            try:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            except asyncio.IncompleteReadError:
                peer.closed.set()
                return
            fields: dict[str, Any] = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
            peer.requests.append((head, await reader.readexactly(int(fields.get("content-length", 0)))))
            reply = answer(len(peer.requests))
            if reply is None:
                return
            writer.write(reply)
            await writer.drain()
            peer.replied.set()
            if b"connection: close" in reply.lower():
                return

    async with raw_server(talk) as address:
        yield f"http://{address}", peer


def reply(
    body: bytes = b'{"ok": 1}',
    status: str = "200 OK",
    kind: str = "application/proto",
    *headers: str,
    length: bool = True,
) -> bytes:
    """The bytes of an HTTP/1.1 reply."""
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", *headers]
    if length:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body
