from __future__ import annotations

import ssl
import subprocess
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import pytest

from flyte import errors
from flyte_rpc.calls.call_path import unary
from flyte_rpc.calls.client import Client
from flyte_rpc.calls.retry import Backoff
from flyte_rpc.serving.server import RunningServer, serve
from support.connect_server import ConnectServer, build, connect_server
from support.echo import Echo, EchoServer, Note

AT_ONCE = Backoff(attempts=4, first=0.0, longest=0.0)
"""Retries without delays."""


@pytest.fixture
async def echo() -> EchoServer:
    return EchoServer()


@pytest.fixture
async def server(echo: EchoServer) -> AsyncGenerator[RunningServer, None]:
    async with await serve([echo]) as running:
        yield running


@pytest.fixture
async def client(server: RunningServer) -> AsyncGenerator[Client, None]:
    async with Client(server.endpoint, timeout=20, retry=AT_ONCE) as made:
        yield made


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for localhost, with its key, in one PEM file."""
    at = tmp_path_factory.mktemp("tls") / "localhost.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    try:
        subprocess.run([*command.split(), *names, "-keyout", at, "-out", f"{at}.crt"], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl is needed to make a certificate")
    at.write_text(at.read_text() + Path(f"{at}.crt").read_text())
    return at


@pytest.fixture(scope="session")
def trusting(certificate: Path) -> ssl.SSLContext:
    """TLS settings of a client that trusts the certificate."""
    return ssl.create_default_context(cafile=certificate)


@pytest.fixture(scope="session")
def _connect_go(certificate: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConnectServer]:
    with connect_server(build(tmp_path_factory.mktemp("connect_go")), certificate) as server:
        yield server


@pytest.fixture
def connect_go(_connect_go: ConnectServer) -> ConnectServer:
    """A connect-go server whose counters start at zero."""
    _connect_go.reset()
    return _connect_go


async def failure(endpoint: str, error: type[errors.RpcError], *, rpc: object = Echo.WRITE, **settings: object) -> str:
    """What the error of a failing call says, after checking its class."""
    async with Client(endpoint, **{"timeout": 20, "retry": AT_ONCE, **settings}) as client:  # type: ignore[arg-type]
        with pytest.raises(error) as raised:
            await unary(client, rpc, Note(a=1))  # type: ignore[arg-type]
    assert type(raised.value) is error
    assert raised.value.endpoint == client.endpoint
    assert raised.value.request_id
    return str(raised.value)
