"""Calls through an HTTP proxy, over every transport. The proxy is the package proxy.py, the server connect-go."""

from __future__ import annotations

import asyncio
import logging
import traceback
from base64 import b64encode
from typing import Any

import pytest

from flyte import errors
from flyte_rpc.calls.call_path import stream, unary
from flyte_rpc.calls.client import CallRecord, Client
from flyte_rpc.errors import InitializationError
from flyte_rpc.transports.endpoint import Endpoint
from flyte_rpc.transports.grpc import GrpcTransport
from flyte_rpc.transports.network.proxies import environment_proxy, parse_proxy
from flyte_rpc.transports.network.settings import Network
from flyte_rpc.transports.transport import TransportName
from rpc.conftest import AT_ONCE
from rpc.network.conftest import CREDENTIALS
from support.connect_server import ConnectServer
from support.echo import Echo, Note
from support.peers import raw_server, saying, silent

WAYS: list[tuple[TransportName, str]] = [
    ("grpc", "both"),
    ("grpc", "tls"),
    ("grpclib", "both"),
    ("grpclib", "tls"),
    ("connect", "http1"),
    ("connect", "tls"),
    ("connect", "tls_http1"),
    ("auto", "tls"),
    ("auto", "http1"),
]


def client_to(endpoint: str, transport: TransportName, proxy: str, **settings: object) -> Client:
    network = Network(proxy=proxy, verify=False)
    return Client(endpoint, network=network, **{"timeout": 20, "transport": transport, "retry": AT_ONCE, **settings})  # type: ignore[arg-type]


class TestThroughAProxy:
    @pytest.mark.parametrize(("transport", "port"), WAYS)
    async def test_calls_and_streams(
        self, connect_go: ConnectServer, proxy_port: int, transport: TransportName, port: str
    ) -> None:
        async with client_to(connect_go.endpoints[port], transport, f"http://127.0.0.1:{proxy_port}") as client:
            big = "x" * 3_000_000
            assert (await unary(client, Echo.WRITE, Note(big=big))).big == big
            assert [note.n async for note in stream(client, Echo.COUNT, Note(to=500))] == list(range(500))

    @pytest.mark.parametrize(("transport", "port"), WAYS)
    async def test_with_credentials(
        self, connect_go: ConnectServer, strict_proxy_port: int, transport: TransportName, port: str
    ) -> None:
        proxy = f"http://{CREDENTIALS}@127.0.0.1:{strict_proxy_port}".replace(" ", "%20")
        async with client_to(connect_go.endpoints[port], transport, proxy) as client:
            assert (await unary(client, Echo.WRITE, Note(n=1))).n == 1

    @pytest.mark.parametrize("transport", ["grpc", "grpclib", "connect", "auto"])
    @pytest.mark.parametrize(
        ("user", "shown"), [("", "wants credentials"), ("ada:hunter2@", "rejects the credentials")]
    )
    async def test_wrong_credentials(
        self,
        connect_go: ConnectServer,
        strict_proxy_port: int,
        transport: TransportName,
        user: str,
        shown: str,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        caplog.set_level(logging.DEBUG)
        proxy = f"http://{user}127.0.0.1:{strict_proxy_port}"
        async with client_to(connect_go.endpoints["tls"], transport, proxy) as client:
            with pytest.raises(errors.EndpointError, match=shown) as raised:
                await unary(client, Echo.WRITE, Note())
            assert raised.value.unprocessed
            assert f"the proxy 127.0.0.1:{strict_proxy_port}" in str(raised.value)
            everything = "".join(traceback.format_exception(raised.value)) + caplog.text + repr(client.settings)
            assert "hunter2" not in everything


class TestProxiesThatAreNot:
    @pytest.mark.parametrize("transport", ["grpc", "grpclib", "connect", "auto"])
    async def test_nothing_listens(self, transport: TransportName) -> None:
        async with client_to("https://flyte.example", transport, "http://127.0.0.1:1") as client:
            with pytest.raises(
                errors.EndpointError, match=r"the proxy 127.0.0.1:1 cannot be reached: nothing is listening"
            ):
                await unary(client, Echo.WRITE, Note())

    async def test_the_name_does_not_resolve(self) -> None:
        async with client_to("https://flyte.example", "grpc", "http://no-such-host.invalid:3128") as client:
            with pytest.raises(
                errors.EndpointError, match=r"the proxy no-such-host.invalid:3128 .* cannot be resolved"
            ):
                await unary(client, Echo.WRITE, Note())

    @pytest.mark.parametrize(
        ("says", "shown"),
        [
            (b"HTTP/1.1 403 Forbidden\r\n\r\n", r"does not connect to flyte.example:443 \(HTTP/1.1 403 Forbidden\)"),
            (b"SSH-2.0-OpenSSH_9.2\r\n", "sends something that is not an HTTP reply"),
            (b"", "closes the connection without a reply"),
            (b"HTTP/1.1\r\n\r\n", "sends something that is not an HTTP reply"),
        ],
    )
    async def test_something_else_answers(self, says: bytes, shown: str) -> None:
        async with saying(says) as address, client_to("https://flyte.example", "grpc", f"http://{address}") as client:
            with pytest.raises(errors.EndpointError, match=shown):
                await unary(client, Echo.WRITE, Note())

    async def test_the_deadline_covers_the_proxy(self) -> None:
        async with (
            silent() as address,
            client_to("https://flyte.example", "grpc", f"http://{address}", timeout=0.1) as client,
        ):
            with pytest.raises(errors.DeadlineExceededError, match="not connected"):
                await unary(client, Echo.WRITE, Note())

    @pytest.mark.parametrize(
        ("proxy", "shown"),
        [
            ("socks5://127.0.0.1:1080", "SOCKS proxy, which is not supported"),
            ("ftp://127.0.0.1", "not the URL of a proxy"),
            ("http://", "not the URL of a proxy"),
            ("http://ada:hunter2@host:port", "not the URL of a proxy"),
            ("http://ada:hunter2@a b:1", "contains a space or a control character"),
            ("http://ada:hunter2\r\nx@host:1", "contains a space or a control character"),
            ("http://ada:hunter2@[::1", "not the URL of a proxy"),
            ("http://ada:hunter2@ho$t:1", "not the URL of a proxy"),
        ],
    )
    def test_urls_that_cannot_be_used(self, proxy: str, shown: str) -> None:
        with pytest.raises(InitializationError, match=shown) as raised:
            Network(proxy=proxy)
        assert isinstance(raised.value, ValueError)
        assert str(raised.value).startswith("proxy ")
        assert "hunter2" not in str(raised.value)


class TestTunnels:
    """What a proxy says about the tunnel, and what comes out of it. All of it may repeat the credentials."""

    URL = "http://ada:hunter2%20%C3%A9@{}"
    FORMS = (b"hunter2 \xc3\xa9", b"hunter2%20%C3%A9", b64encode("ada:hunter2 é".encode()))

    @pytest.mark.parametrize("transport", ["grpc", "grpclib", "connect", "auto"])
    @pytest.mark.parametrize("form", FORMS)
    @pytest.mark.parametrize("scheme", ["http", "https"])
    @pytest.mark.parametrize(
        "says", [b"HTTP/1.1 403 not %b\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 403 %b\r\n\r\n"]
    )
    async def test_credentials_are_not_repeated(
        self, says: bytes, form: bytes, scheme: str, transport: TransportName, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        async with (
            saying(says % form) as address,
            client_to(f"{scheme}://flyte.example", transport, self.URL.format(address)) as client,
        ):
            with pytest.raises(errors.RpcError) as raised:
                await unary(client, Echo.WRITE, Note())
        shown = "".join(traceback.format_exception(raised.value)) + caplog.text
        assert "hunter2" not in shown
        assert form.decode() not in shown

    async def test_an_informational_reply_is_skipped(self) -> None:
        says = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 403 Forbidden\r\n\r\n"
        async with saying(says) as address, client_to("https://flyte.example", "grpc", f"http://{address}") as client:
            with pytest.raises(errors.EndpointError, match=r"does not connect to .* \(HTTP/1.1 403 Forbidden\)"):
                await unary(client, Echo.WRITE, Note())

    async def test_informational_replies_have_a_limit(self) -> None:
        says = b"HTTP/1.1 100 Continue\r\n\r\n" * 4000
        async with saying(says) as address, client_to("https://flyte.example", "grpc", f"http://{address}") as client:
            with pytest.raises(errors.EndpointError, match="sends something that is not an HTTP reply"):
                await unary(client, Echo.WRITE, Note())

    @pytest.mark.parametrize("transport", ["grpc", "grpclib", "connect", "auto"])
    @pytest.mark.parametrize("rpc", [Echo.SAY, Echo.WRITE])
    @pytest.mark.parametrize(
        ("scheme", "junk", "protocol"),
        [("https", b"JUNKJUNKJUNK", "TLS"), ("https", b"", "TLS"), ("http", b"JUNK", "gRPC|HTTP/1.1")],
    )
    async def test_a_tunnel_that_carries_something_else(
        self, transport: TransportName, rpc: Any, scheme: str, junk: bytes, protocol: str
    ) -> None:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + junk)
            await reader.read(1)
            if not junk:
                writer.write(b"JUNKJUNKJUNK")
            await reader.read(-1)

        calls: list[CallRecord] = []
        async with (
            raw_server(talk) as address,
            client_to(f"{scheme}://flyte.example", transport, f"http://{address}", on_call=calls.append) as client,
        ):
            with pytest.raises(
                errors.EndpointError, match=f"the tunnel of the proxy {address} to .* does not speak ({protocol})"
            ):
                await unary(client, rpc, Note())
        assert len(calls) <= AT_ONCE.attempts

    async def test_a_proxy_that_never_answers(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(GrpcTransport.__init__.__kwdefaults__, "connect_seconds", 0.1)
        async with silent() as address, client_to("https://flyte.example", "grpc", f"http://{address}") as client:
            with pytest.raises(
                errors.EndpointError, match=f"the proxy {address} does not connect to flyte.example:443 in time"
            ):
                await unary(client, Echo.WRITE, Note())


class TestEnvironment:
    async def test_a_call_uses_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HTTPS_PROXY", "127.0.0.1:1")
        async with Client("https://flyte.example", timeout=20) as client:
            with pytest.raises(errors.EndpointError, match=r"the proxy 127.0.0.1:1 cannot be reached"):
                await unary(client, Echo.WRITE, Note())

    async def test_a_proxy_that_cannot_be_used(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ALL_PROXY", "socks5h://127.0.0.1:1")
        async with Client("https://flyte.example", timeout=20) as client:
            with pytest.raises(InitializationError, match="the environment variable ALL_PROXY names a SOCKS proxy"):
                await unary(client, Echo.WRITE, Note())

    async def test_this_machine_is_called_directly(
        self, connect_go: ConnectServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HTTP_PROXY", "127.0.0.1:1")
        async with Client(connect_go.endpoints["both"], timeout=20) as client:
            assert (await unary(client, Echo.WRITE, Note(n=1))).n == 1

    @pytest.mark.parametrize(
        ("variables", "tls", "port"),
        [
            ({}, True, None),
            ({"HTTPS_PROXY": "p:1"}, True, 1),
            ({"https_proxy": "p:1", "HTTPS_PROXY": "p:2"}, True, 1),
            ({"HTTPS_PROXY": "p:1"}, False, None),
            ({"HTTP_PROXY": "p:1"}, False, 1),
            ({"HTTP_PROXY": "p:1"}, True, None),
            ({"HTTP_PROXY": "p:1", "REQUEST_METHOD": "GET"}, False, None),
            ({"ALL_PROXY": "p:3", "HTTP_PROXY": "p:1"}, False, 1),
            ({"ALL_PROXY": "p:3", "HTTP_PROXY": "p:1"}, True, 3),
            ({"HTTPS_PROXY": "  "}, True, None),
            ({"HTTPS_PROXY": "http://p"}, True, 80),
            ({"HTTPS_PROXY": "https://p"}, True, 443),
        ],
    )
    def test_which_variable(
        self, variables: dict[str, str], tls: bool, port: int | None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        found = environment_proxy("flyte.example", 443, tls=tls)
        assert (found and found.port) == port

    @pytest.mark.parametrize(
        ("rules", "host", "direct"),
        [
            ("*", "flyte.example", True),
            ("flyte.example", "flyte.example", True),
            ("flyte.example", "FLYTE.example.", True),
            ("flyte.example", "eu.flyte.example", True),
            ("flyte.example", "myflyte.example", False),
            (".flyte.example", "eu.flyte.example", True),
            (".flyte.example", "flyte.example", False),
            ("*.flyte.example", "eu.flyte.example", True),
            ("*.flyte.example", "flyte.example", False),
            ("other.example, flyte.example ,", "flyte.example", True),
            ("flyte.example:443", "flyte.example", True),
            ("flyte.example:8443", "flyte.example", False),
            ("10.0.0.0/8", "10.1.2.3", True),
            ("10.0.0.0/8", "11.1.2.3", False),
            ("10.0.0.0/8", "flyte.example", False),
            ("10.1.2.3", "10.1.2.3", True),
            ("10.1.2.3:443", "10.1.2.3", True),
            ("10.1.2.3:80", "10.1.2.3", False),
            ("fd00::/8", "fd00::1", True),
            ("fd00::1", "fd00::1", True),
            ("[fd00::1]:443", "fd00::1", True),
            ("[fd00::1]", "fd00::1", True),
            ("not/anetwork", "flyte.example", False),
            (",,", "flyte.example", False),
            ("", "flyte.example", False),
        ],
    )
    def test_exceptions(self, rules: str, host: str, direct: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HTTPS_PROXY", "p:1")
        monkeypatch.setenv("NO_PROXY", rules)
        assert (environment_proxy(host, 443, tls=True) is None) == direct

    def test_an_argument_overrides_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HTTPS_PROXY", "p:1")
        monkeypatch.setenv("NO_PROXY", "*")
        there = Endpoint("flyte.example", 443, True)
        found = Network(proxy="http://q:2").proxy_of(there)
        assert found is not None and found.port == 2
        monkeypatch.delenv("NO_PROXY")
        assert Network(proxy="").proxy_of(there) is None
        assert Network().proxy_for("https://files.example/x?sig=1") == "http://p:1"


def test_a_proxy_does_not_show_its_credentials() -> None:
    proxy = parse_proxy("http://ada:hunter2@p:1", "proxy")
    assert "hunter2" not in repr(proxy) + repr(Network(proxy=proxy.url))
    assert proxy.authorization == "Basic YWRhOmh1bnRlcjI="
