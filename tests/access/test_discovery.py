"""Finding the authorization server: by the control plane's service, by its well-known URL, or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flyte.access import discovery
from flyte.errors import EndpointError, InitializationError, RpcError, UnavailableError
from flyte_rpc.auth.server import AuthServer
from flyte_rpc.http.client import HttpClient
from flyte_rpc.serving.server import ServerCall, ServiceBase, Status, abort, serve
from flyte_rpc.transports.endpoint import Endpoint, parse_endpoint
from flyte_rpc.transports.network.settings import Network
from remote.planes.auth import Identity
from support.control_plane import Access
from support.oauth_server import HTML, OAuthServer, oauth_server


@pytest.fixture(autouse=True)
def nothing_found() -> Iterator[None]:
    discovery.forget()
    yield
    discovery.forget()


@pytest.fixture
def oauth() -> Iterator[OAuthServer]:
    with oauth_server() as server:
        yield server


def discover(endpoint: str) -> AuthServer:
    http = HttpClient(Network(), timeout=10, sleep=lambda seconds: None)
    return discovery.discover(parse_endpoint(endpoint), Network(), http)


async def found_by(*services: ServiceBase) -> AuthServer:
    async with await serve(services) as server:
        return await asyncio.to_thread(discover, server.endpoint)


async def test_the_service(oauth: OAuthServer) -> None:
    found = await found_by(Access(oauth.metadata(), authorization_metadata_key="Flyte-Authorization"))
    assert found == AuthServer(
        token_endpoint=f"{oauth.url}/token",
        authorization_endpoint=f"{oauth.url}/authorize",
        device_authorization_endpoint=f"{oauth.url}/device",
        client_id="people",
        redirect_uri="http://localhost:0/callback",
        scopes=("all", "offline"),
        audience="",
        header="flyte-authorization",
    )


async def test_it_is_asked_once_and_anonymously(oauth: OAuthServer) -> None:
    access = Access(oauth.metadata())
    async with await serve([access]) as server:
        for _ in range(2):
            await asyncio.to_thread(discover, server.endpoint)
    assert [call.metadata.get("authorization") for call in access.calls] == [None, None]


async def test_defaults(oauth: OAuthServer) -> None:
    found = await found_by(Access(oauth.metadata(), redirect_uri="", scopes=[]))
    assert (found.redirect_uri, found.scopes, found.header) == ("http://localhost:53593/callback", (), "authorization")


def test_the_well_known_url(oauth: OAuthServer) -> None:
    # The server speaks no gRPC at all.
    found = discover(oauth.url)
    assert (found.token_endpoint, found.client_id) == (f"{oauth.url}/token", "")


def test_a_page(oauth: OAuthServer) -> None:
    oauth.fault = lambda path, form: HTML
    with pytest.raises(InitializationError, match=f"{oauth.url} does not say how to log in") as raised:
        discover(oauth.url)
    assert "web console" in str(raised.value)


async def test_a_control_plane_without_log_in() -> None:
    with pytest.raises(InitializationError, match="does not say how to log in"):
        await found_by(Identity())


async def test_an_unreachable_control_plane() -> None:
    async with await serve([Identity()]) as server:
        gone = server.endpoint
    with pytest.raises(RpcError) as raised:
        await asyncio.to_thread(discover, gone)
    assert isinstance(raised.value, UnavailableError)


async def test_a_busy_control_plane_is_no_reason_to_look_elsewhere(oauth: OAuthServer) -> None:
    class Busy(Access):
        async def get_o_auth2_metadata(self, request: Any, call: ServerCall) -> Any:
            abort(Status.UNAVAILABLE, "starting")

    with pytest.raises(UnavailableError, match="starting") as raised:
        await found_by(Busy(oauth.metadata()))
    assert not isinstance(raised.value, EndpointError)


class Failing(Access):
    """Answers its questions with errors, as often as told, and then as it should."""

    metadata_failures: list[Status]
    config_failures: list[Status]

    def __init__(self, metadata: dict[str, str], **failures: list[Status]) -> None:
        super().__init__(metadata)
        self.metadata_failures = failures.get("metadata_failures", [])
        self.config_failures = failures.get("config_failures", [])

    async def get_o_auth2_metadata(self, request: Any, call: ServerCall) -> Any:
        if self.metadata_failures:
            abort(self.metadata_failures.pop(), "hiccup")
        return await super().get_o_auth2_metadata(request, call)

    async def get_public_client_config(self, request: Any, call: ServerCall) -> Any:
        if self.config_failures:
            abort(self.config_failures.pop(), "hiccup")
        return await super().get_public_client_config(request, call)


class TestFailures:
    @pytest.mark.parametrize("question", ["metadata_failures", "config_failures"])
    @pytest.mark.parametrize("status", [Status.INTERNAL, Status.UNKNOWN, Status.RESOURCE_EXHAUSTED])
    async def test_one_is_raised_and_forgotten(self, oauth: OAuthServer, question: str, status: Status) -> None:
        access = Failing(oauth.metadata(), **{question: [status] * 9})
        async with await serve([access]) as server:
            with pytest.raises(RpcError, match="hiccup"):
                await asyncio.to_thread(discover, server.endpoint)
            access.metadata_failures = access.config_failures = []
            assert (await asyncio.to_thread(discover, server.endpoint)).client_id == "people"

    @pytest.mark.parametrize("status", [Status.UNAUTHENTICATED, Status.PERMISSION_DENIED])
    async def test_a_refusal_is_not_kept(self, oauth: OAuthServer, status: Status) -> None:
        access = Failing(oauth.metadata(), config_failures=[status])
        async with await serve([access]) as server:
            assert (await asyncio.to_thread(discover, server.endpoint)).client_id == ""
            assert (await asyncio.to_thread(discover, server.endpoint)).client_id == "people"

    @pytest.mark.parametrize("status", [Status.UNIMPLEMENTED, Status.NOT_FOUND])
    async def test_a_control_plane_without_a_client_is_asked_once(self, oauth: OAuthServer, status: Status) -> None:
        access = Failing(oauth.metadata(), config_failures=[status])
        async with await serve([access]) as server:
            found = [await asyncio.to_thread(discover, server.endpoint) for _ in range(2)]
        assert [server.client_id for server in found] == ["", ""] and found[0].token_endpoint


@pytest.mark.parametrize("url", ["ftp://x/token", "token", "http://", "https://[::1/token"])
async def test_urls_that_are_none(oauth: OAuthServer, url: str) -> None:
    with pytest.raises(InitializationError, match="names a token_endpoint that is not an http"):
        await found_by(Access({**oauth.metadata(), "token_endpoint": url}))


def test_secrets_do_not_leave_tls() -> None:
    secured = Endpoint("flyte.example.com", 443, True)
    discovery._check_url(secured, "token_endpoint", "http://localhost:1/token")
    discovery._check_url(secured, "token_endpoint", "https://id.example.com/token")
    with pytest.raises(InitializationError, match="to which secrets would go in cleartext"):
        discovery._check_url(secured, "token_endpoint", "http://id.example.com/token?x=1")
    discovery._check_url(Endpoint("flyte.svc", 80, False), "token_endpoint", "http://flyte.svc/token")


@pytest.mark.parametrize("key", ["grpc-x", "a b", "host", "x-bin"])
async def test_headers_that_cannot_be_sent(oauth: OAuthServer, key: str) -> None:
    with pytest.raises(InitializationError, match="names a header that cannot be sent"):
        await found_by(Access(oauth.metadata(), authorization_metadata_key=key))


async def test_over_a_unix_socket(oauth: OAuthServer, tmp_path: Path) -> None:
    with pytest.raises(RpcError):
        await asyncio.to_thread(discover, f"unix://{tmp_path}/none")
