"""Clients that are derived from one another, injected transports and TLS contexts, and the registry of an SDK."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from flyte_rpc.calls.call_path import unary
from flyte_rpc.calls.client import CallRecord, Client
from flyte_rpc.calls.registry import ClientRegistry
from flyte_rpc.errors import DeadlineExceededError, InitializationError
from flyte_rpc.serving.server import RunningServer
from flyte_rpc.transports.endpoint import Endpoint
from flyte_rpc.transports.grpc import GrpcTransport
from flyte_rpc.transports.transport import Metadata, Transport
from support.echo import Echo, EchoServer, Note

ROOT = Path(__file__).parents[3]


async def test_options_change_the_copy_alone(client: Client) -> None:
    derived = client.with_options(project="p", domain="d", org="o", timeout=7, page_size=3, token="secret")
    assert (derived.project, derived.domain, derived.org, derived.timeout, derived.page_size) == ("p", "d", "o", 7.0, 3)
    assert derived.settings.token == "secret"
    assert derived.endpoint == client.endpoint
    assert (client.project, client.timeout, client.page_size, client.settings.token) == ("", 20.0, 100, None)
    assert "secret" not in repr(derived) + repr(derived.settings)


async def test_a_derived_client_shares_the_connection(client: Client, echo: EchoServer) -> None:
    derived = client.with_options(metadata=[("x-team", "vision")])
    await unary(client, Echo.SAY, Note())
    await unary(derived, Echo.SAY, Note())
    assert client.transport() is derived.transport()
    assert [call.metadata.get("x-team") for call in echo.calls] == [None, "vision"]


async def test_closing_a_derived_client_ends_it_alone(client: Client) -> None:
    derived = client.with_options(timeout=5)
    derived.close()
    assert derived.closed and not client.closed
    with pytest.raises(InitializationError, match="is closed"):
        await unary(derived, Echo.SAY, Note())
    await unary(client, Echo.SAY, Note())


async def test_closing_the_owner_ends_the_derived_clients(server: RunningServer) -> None:
    client = Client(server.endpoint)
    derived = client.with_options(timeout=5)
    await unary(derived, Echo.SAY, Note())
    await client.aclose()
    assert derived.closed
    with pytest.raises(InitializationError, match="is closed"):
        await unary(derived, Echo.SAY, Note())


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"timeout": 0}, ValueError),
        ({"page_size": "many"}, TypeError),
        ({"token": "two\nlines"}, ValueError),
        ({"project": 5}, TypeError),
        ({"metadata": [("Authorization", "x")]}, ValueError),
    ],
)
def test_bad_options_are_refused(options: dict[str, object], error: type[Exception]) -> None:
    with pytest.raises(error):
        Client("http://h:1").with_options(**options)  # type: ignore[arg-type]


async def test_observers_are_those_of_the_derived_client(client: Client) -> None:
    records: list[CallRecord] = []
    await unary(client.with_options(on_call=records.append), Echo.SAY, Note())
    await unary(client, Echo.SAY, Note())
    assert len(records) == 1


class Counting:
    """A transport of the caller's own, around the usual one."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.inner = GrpcTransport(endpoint)
        self.paths: list[str] = []

    @property
    def connected(self) -> bool:
        return self.inner.connected

    async def unary(self, path: str, request: bytes, metadata: Metadata, timeout: float) -> bytes:
        self.paths.append(path)
        return await self.inner.unary(path, request, metadata, timeout)

    def server_stream(
        self, path: str, request: bytes, metadata: Metadata, timeout: float | None
    ) -> AsyncGenerator[bytes, None]:
        self.paths.append(path)
        return self.inner.server_stream(path, request, metadata, timeout)

    def close(self) -> None:
        self.inner.close()

    async def aclose(self) -> None:
        await self.inner.aclose()


async def test_a_transport_can_be_injected(server: RunningServer) -> None:
    transports: list[Counting] = []

    def open_transport(endpoint: Endpoint) -> Transport:
        transports.append(Counting(endpoint))
        return transports[-1]

    async with Client(server.endpoint, transport=open_transport) as client:
        assert (await unary(client, Echo.SAY, Note(n=1))).n == 1
    assert [transport.paths for transport in transports] == [[Echo.SAY.path]]


def test_a_tls_context_can_be_injected() -> None:
    context = ssl.create_default_context()
    client = Client("https://h:1", ssl_context=context)
    assert client.endpoint == "https://h:1"  # used by a call in test_tls


async def test_the_hint_of_a_deadline_names_what_there_is() -> None:
    hint = DeadlineExceededError("no reply").hint
    assert "client.with_options(timeout=" in hint and hasattr(Client, "with_options")


class TestRegistry:
    def test_without_a_client_it_says_what_its_sdk_told_it(self) -> None:
        registry = ClientRegistry("parcels_api")
        with pytest.raises(InitializationError, match=r"Pass client= to this call"):
            registry.current()
        registry.configure(missing="Call parcels.connect() first.")
        with pytest.raises(InitializationError, match=r"^Call parcels.connect\(\) first\.$"):
            registry.resolve(None)

    def test_two_sdks_do_not_share_a_client(self) -> None:
        one, other = ClientRegistry("one"), ClientRegistry("other")
        client = Client("http://h:1")
        one.set_default(client)
        assert one.current() is client and other.default is None
        with one.use(Client("http://h:2")) as inner:
            assert one.current() is inner
            with pytest.raises(InitializationError):
                other.current()
        assert one.current() is client

    def test_a_client_is_discovered_when_there_is_none(self) -> None:
        registry, client = ClientRegistry("r"), Client("http://h:1")
        registry.configure(missing="none", discover=lambda: client)
        assert registry.current() is client
        registry.configure(missing="none", discover=lambda: None)
        with pytest.raises(InitializationError, match="none"):
            registry.current()

    def test_it_takes_clients_only(self) -> None:
        with pytest.raises(TypeError, match="client takes a Client, not str"):
            ClientRegistry("r").resolve("http://h:1")  # type: ignore[arg-type]


def test_the_runtime_does_not_know_flyte() -> None:
    """SDKs of other teams are built on it: no name, text or link in it is that of one product."""
    for path in sorted((ROOT / "src/flyte_rpc").rglob("*.py")):
        text = path.read_text("utf-8").lower()
        left = text.replace("flyte_rpc", "").replace("flyte-rpc", "")
        assert "flyte" not in left, path.name
