"""nginx and HAProxy on loopback, in front of a gRPC server. `make interop` runs these tests."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import AsyncGenerator, Callable, Iterator
from pathlib import Path

import pytest

from flyte_rpc.calls.client import CallRecord, Client
from flyte_rpc.calls.retry import Backoff
from flyte_rpc.serving.server import RunningServer, serve
from support.echo import EchoServer

_NGINX = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    client_max_body_size 64m;
    # A connection to the server for each call would overrun the server's queue of connections.
    upstream back {{ server 127.0.0.1:{backend}; keepalive 64; }}
    server {{
        listen 127.0.0.1:{port} http2;
        keepalive_requests {requests};
        grpc_read_timeout {idle}s;
        location / {{ grpc_pass grpc://back; }}
    }}
}}
"""

_HAPROXY = """
global
    maxconn 4096
defaults
    mode http
    timeout connect 5s
    timeout client {idle}s
    timeout server {idle}s
frontend front
    bind 127.0.0.1:{port} proto h2
    default_backend back
backend back
    server one 127.0.0.1:{backend} proto h2
"""

CONFIGURATIONS = {"nginx": _NGINX, "haproxy": _HAPROXY}

Start = Callable[..., str]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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
def start(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Starts a proxy in front of a port. Returns its endpoint."""
    running: list[subprocess.Popen[bytes]] = []

    def run(name: str, backend: int, *, requests: int = 1000, idle: int = 60) -> str:
        program = shutil.which(name) or shutil.which(name, path="/usr/sbin")
        if program is None:
            pytest.skip(f"{name} is not installed")
        port = free_port()
        configuration = tmp_path / f"{name}.conf"
        values = {"folder": tmp_path, "port": port, "backend": backend, "requests": requests, "idle": idle}
        configuration.write_text(CONFIGURATIONS[name].format(**values))
        command = [program, "-c", configuration, "-p", tmp_path] if name == "nginx" else [program, "-f", configuration]
        running.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        return f"http://127.0.0.1:{port}"

    yield run
    for process in running:
        process.terminate()
        process.wait(20)


@pytest.fixture
def reload(tmp_path: Path) -> Callable[[], None]:
    """Has the running nginx read its configuration again, which replaces its workers."""
    return lambda: os.kill(int((tmp_path / "nginx.pid").read_text()), signal.SIGHUP)


@pytest.fixture(params=CONFIGURATIONS)
async def client(
    request: pytest.FixtureRequest, start: Start, server: RunningServer, calls: list[CallRecord]
) -> AsyncGenerator[Client, None]:
    """A client behind each proxy in turn."""
    endpoint = start(request.param, server.port)
    await listening(endpoint)
    async with Client(endpoint, timeout=60, retry=Backoff(4, 0.01, 0.1), on_call=calls.append) as made:
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
