"""What the client makes of servers, and of things that are not servers. No delay is waited for: faults are scripted."""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
import subprocess
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest
from h2.errors import ErrorCodes
from h2.events import Event, PingReceived
from support.echo import Echo, EchoServer, Note
from support.peers import OK, REPLY, Peer, raw_server, saying, scripted, silent

from flyte import errors
from flyte.runtime.call import stream, unary
from flyte.runtime.client import Client
from flyte.runtime.endpoint import parse_endpoint
from flyte.runtime.grpc import GrpcTransport
from flyte.runtime.server import serve

from .conftest import AT_ONCE


async def failure(endpoint: str, error: type[errors.RpcError], *, rpc: object = Echo.WRITE, **settings: object) -> str:
    async with Client(endpoint, **{"timeout": 20, "retry": AT_ONCE, **settings}) as client:  # type: ignore[arg-type]
        with pytest.raises(error) as raised:
            await unary(client, rpc, Note(a=1))  # type: ignore[arg-type]
    assert type(raised.value) is error
    assert raised.value.endpoint == client.endpoint
    assert raised.value.request_id
    return str(raised.value)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class TestEndpointsThatAreNot:
    async def test_nothing_listens(self) -> None:
        port = free_port()
        text = await failure(f"http://127.0.0.1:{port}", errors.EndpointError, rpc=Echo.SAY)
        assert f"nothing is listening on 127.0.0.1:{port}" in text
        assert "attempts" not in text

    async def test_nothing_listens_on_any_address_of_the_host(self) -> None:
        text = await failure(f"http://localhost:{free_port()}", errors.EndpointError)
        assert "nothing is listening on localhost" in text

    async def test_the_name_does_not_resolve(self) -> None:
        text = await failure("http://no-such-host.invalid:80", errors.EndpointError)
        assert "the host name 'no-such-host.invalid' cannot be resolved" in text

    @pytest.mark.parametrize(
        ("says", "shown"),
        [
            (b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\n\r\n<html>", "speaks HTTP/1.1, not gRPC ('HTTP/1.1 400 Bad"),
            (b"<!DOCTYPE html><p>505", "sends an HTML page, not gRPC"),
            (b"\x15\x03\x01\x00\x02\x02\x46", "expects TLS"),
            (b"SSH-2.0-OpenSSH_9.2\r\n", "is not a gRPC server (it sends b'SSH-2.0-OpenSSH_9.2"),
            (b"", "closes the connection without a word"),
        ],
    )
    async def test_something_else_answers(self, says: bytes, shown: str) -> None:
        async with saying(says) as address:
            assert shown in await failure(f"http://{address}", errors.EndpointError, rpc=Echo.SAY)

    async def test_nobody_answers(self) -> None:
        async with silent() as address:
            transport = GrpcTransport(parse_endpoint(f"http://{address}"), connect_seconds=0.01)
            with pytest.raises(errors.EndpointError, match="sends no HTTP/2 settings"):
                await transport.unary("/a.B/C", b"", [], 20)

    async def test_the_deadline_covers_connecting(self) -> None:
        async with silent() as address:
            assert "not connected to the server after 0.01 s" in await failure(
                f"http://{address}", errors.DeadlineExceededError, timeout=0.01
            )

    @pytest.mark.parametrize(
        ("headers", "error", "shown"),
        [
            (((":status", "404"), ("content-type", "text/html")), errors.EndpointError, "HTTP 404 of type text/html"),
            (((":status", "200"), ("content-type", "text/html")), errors.EndpointError, "HTTP 200 of type text/html"),
            (((":status", "204"),), errors.EndpointError, "HTTP 204"),
            (((":status", "301"), ("location", "https://login.example/?next=1")), errors.EndpointError, "redirects to https://login"),
            (((":status", "401"), ("content-type", "text/html")), errors.UnauthenticatedError, "HTTP 401"),
            (((":status", "403"),), errors.PermissionDeniedError, "HTTP 403"),
            (((":status", "429"),), errors.UnavailableError, "HTTP 429"),
            (((":status", "502"), ("content-type", "text/html")), errors.UnavailableError, "HTTP 502"),
            (((":status", "503"), ("grpc-status", "14"), ("grpc-message", "no upstream")), errors.UnavailableError, "no upstream"),
        ],
    )
    async def test_a_proxy_answers(
        self, headers: tuple[tuple[str, str], ...], error: type[errors.RpcError], shown: str
    ) -> None:
        async with scripted(lambda peer, at: peer.begin(at, headers, end=True)) as (endpoint, _):
            assert shown in await failure(endpoint, error)


class TestStatuses:
    @pytest.mark.parametrize(
        ("trailers", "error", "shown"),
        [
            ((("grpc-status", "5"), ("grpc-message", "no %C3%BCml%25 here")), errors.NotFoundError, "no üml% here"),
            ((("grpc-status", "99"),), errors.UnknownError, ""),
            ((("grpc-status", "soon"),), errors.UnknownError, "without a gRPC status"),
            ((("x-other", "1"),), errors.UnknownError, "without a gRPC status"),
            (OK, errors.DecodeError, "success without a reply"),
        ],
    )
    @pytest.mark.parametrize("only", [True, False], ids=["trailers-only", "headers-first"])
    async def test_the_trailers_decide(
        self, trailers: tuple[tuple[str, str], ...], error: type[errors.RpcError], shown: str, only: bool
    ) -> None:
        def script(peer: Peer, at: int) -> None:
            if only and trailers[0][0] == "grpc-status":
                peer.begin(at, (*REPLY, *trailers), end=True)
            else:
                peer.begin(at)
                peer.end(at, trailers)

        async with scripted(script) as (endpoint, _):
            assert shown in await failure(endpoint, error)

    async def test_details_are_kept_as_the_server_packed_them(self) -> None:
        packed = base64.b64encode(b"\x08\x05\x12\x02no").decode().rstrip("=")
        trailers = (("grpc-status", "5"), ("grpc-status-details-bin", packed))
        async with (
            scripted(lambda peer, at: peer.begin(at, (*REPLY, *trailers), end=True)) as (endpoint, _),
            Client(endpoint) as client,
        ):
            with pytest.raises(errors.NotFoundError) as raised:
                await unary(client, Echo.SAY, Note())
            assert raised.value.details == b"\x08\x05\x12\x02no"

    async def test_a_content_type_with_a_subtype_is_grpc(self) -> None:
        def script(peer: Peer, at: int) -> None:
            peer.begin(at, ((":status", "200"), ("content-type", "application/grpc+proto")))
            peer.message(at, b'{"ok": 1}')
            peer.end(at)

        async with scripted(script) as (endpoint, _), Client(endpoint) as client:
            assert (await unary(client, Echo.SAY, Note())).ok == 1


class TestBrokenReplies:
    @pytest.mark.parametrize(
        ("message", "error", "shown"),
        [
            ({"data": b'{"a": ', "size": 40}, errors.ConnectionLostError, "ended without a status"),
            ({"data": b"", "size": 300 * 2**20}, errors.DecodeError, "the message has 314,572,800 bytes; the limit is"),
            ({"data": b"{}", "flag": 1}, errors.DecodeError, "compressed"),
            ({"data": b"not json"}, errors.DecodeError, "it is not a Note"),
        ],
    )
    async def test_messages(self, message: dict[str, object], error: type[errors.RpcError], shown: str) -> None:
        def script(peer: Peer, at: int) -> None:
            peer.begin(at)
            if error is errors.ConnectionLostError:
                peer.message(at, **message, end=True)  # type: ignore[arg-type]
            else:
                peer.message(at, **message)  # type: ignore[arg-type]
                peer.end(at)

        async with scripted(script) as (endpoint, _):
            assert shown in await failure(endpoint, error)

    async def test_a_message_that_is_cut_before_an_ok(self) -> None:
        def script(peer: Peer, at: int) -> None:
            peer.begin(at)
            peer.message(at, b"{", size=50)
            peer.end(at)

        async with scripted(script) as (endpoint, _):
            assert "cut short" in await failure(endpoint, errors.DecodeError)

    async def test_two_replies_to_a_unary_call(self) -> None:
        def script(peer: Peer, at: int) -> None:
            peer.begin(at)
            peer.message(at, b"{}")
            peer.message(at, b"{}")
            peer.end(at)

        async with scripted(script) as (endpoint, _):
            assert "more than one reply" in await failure(endpoint, errors.DecodeError)

    async def test_what_http2_says_to_ignore_is_ignored(self) -> None:
        def script(peer: Peer, at: int) -> None:
            peer.frame(0x10, b"\0\0\0\1u=3")  # PRIORITY_UPDATE
            peer.frame(0xBB, b"grease")
            peer.h2.send_headers(at, ((":status", "103"), ("link", "</x>")))
            peer.begin(at)
            peer.frame(0x0, b"", stream=at)  # an empty DATA frame
            peer.message(at, b'{"ok": 1}')
            peer.frame(0x0, b"", stream=at)
            peer.end(at)

        async with scripted(script) as (endpoint, _), Client(endpoint, timeout=20) as client:
            assert (await unary(client, Echo.SAY, Note())).ok == 1


class TestConnectionsThatEnd:
    async def test_a_graceful_goaway_lets_calls_finish_and_moves_later_ones(self) -> None:
        def script(peer: Peer, at: int) -> None:
            peer.begin(at)
            peer.goaway()
            peer.message(at, b'{"ok": 1}')
            peer.end(at)

        async with scripted(script) as (endpoint, peers), Client(endpoint, timeout=20) as client:
            for _ in range(3):
                assert (await unary(client, Echo.WRITE, Note())).ok == 1
            assert len(peers) == 3
            for peer in peers:
                await peer.gone.wait()  # a connection that has drained is closed

    async def test_a_whole_reply_counts_even_if_the_connection_goes_with_it(self) -> None:
        def script(peer: Peer, at: int) -> None:
            peer.reply(at)
            peer.goaway(code=ErrorCodes.INTERNAL_ERROR)
            peer.transport.close()

        async with scripted(script) as (endpoint, _), Client(endpoint, timeout=20) as client:
            assert (await unary(client, Echo.WRITE, Note())).ok == 1

    @pytest.mark.parametrize("how", ["refused", "goaway"])
    async def test_what_was_certainly_not_looked_at_is_sent_again_even_a_write(self, how: str) -> None:
        def script(peer: Peer, at: int) -> None:
            if len(peers) > 1 or at > 1:
                peer.reply(at)
            elif how == "goaway":
                peer.goaway(last_stream=0)
            else:
                peer.reset(at, ErrorCodes.REFUSED_STREAM)

        async with scripted(script) as (endpoint, peers), Client(endpoint, timeout=20, retry=AT_ONCE) as client:
            assert (await unary(client, Echo.WRITE, Note())).ok == 1

    @pytest.mark.parametrize(
        ("breaks", "shown"),
        [
            (lambda peer, at: peer.reset(at, ErrorCodes.INTERNAL_ERROR), "the server reset the stream (INTERNAL_ERROR)"),
            (lambda peer, at: peer.goaway(code=ErrorCodes.ENHANCE_YOUR_CALM), "closed the connection with ENHANCE_YOUR_CALM"),
            (lambda peer, at: peer.transport.close(), "the server closed the connection"),
            (lambda peer, at: peer.frame(0x0, b"x", stream=0), "Protocol error"),
        ],
    )
    async def test_a_write_is_not_repeated_and_a_read_is(self, breaks: Callable[[Peer, int], None], shown: str) -> None:
        broken: list[Peer] = []

        def script(peer: Peer, at: int) -> None:
            if len(broken) < 2:
                broken.append(peer)
                breaks(peer, at)
            else:
                peer.reply(at)

        async with scripted(script) as (endpoint, _), Client(endpoint, timeout=20, retry=AT_ONCE) as client:
            with pytest.raises(errors.ConnectionLostError) as raised:
                await unary(client, Echo.WRITE, Note())
            assert shown in str(raised.value)
            assert (raised.value.attempts, raised.value.unprocessed) == (1, False)
            assert len(broken) == 1
            assert (await unary(client, Echo.SAY, Note())).ok == 1
            assert len(broken) == 2

    async def test_a_stream_delivers_what_came_before_it_broke(self) -> None:
        def script(peer: Peer, at: int) -> None:
            peer.begin(at)
            for n in range(3):
                peer.message(at, b'{"n": %d}' % n)
            peer.flush()
            peer.transport.close()

        async with scripted(script) as (endpoint, _), Client(endpoint, timeout=20) as client:
            seen = []
            with pytest.raises(errors.ConnectionLostError):
                async for note in stream(client, Echo.COUNT, Note()):
                    seen.append(note.n)
            assert seen == [0, 1, 2]

    async def test_a_lost_connection_leaves_timeouts_around_the_call_working(self) -> None:
        """A transport that wakes calls by cancelling their task leaves the task marked as cancelled."""
        async with scripted(lambda peer, at: peer.transport.close()) as (endpoint, _), Client(endpoint, timeout=20) as client:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    with pytest.raises(errors.ConnectionLostError):
                        await unary(client, Echo.WRITE, Note())
                    await asyncio.Event().wait()
            task = asyncio.current_task()
            assert task is not None and task.cancelling() == 0

    async def test_a_connection_that_was_silent_until_the_deadline_is_not_used_again(self) -> None:
        def script(peer: Peer, at: int) -> None:
            if len(peers) > 1:
                peer.reply(at)

        async with scripted(script) as (endpoint, peers), Client(endpoint, timeout=20) as client:
            with pytest.raises(errors.DeadlineExceededError, match=r"no reply after 0\.05 s"):
                await unary(client, Echo.SAY, Note(), timeout=0.05)
            assert (await unary(client, Echo.SAY, Note())).ok == 1

    async def test_an_unanswered_ping_ends_the_connection(self) -> None:
        async def settings_and_silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"\0\0\0\4\0\0\0\0\0")
            await reader.read(-1)

        async with raw_server(settings_and_silence) as address:
            endpoint = parse_endpoint(f"http://{address}")
            transport = GrpcTransport(endpoint, ping_every=0.01, ping_timeout=0.01)
            with pytest.raises(errors.ConnectionLostError, match=r"not answered a ping for 0\.01 s"):
                await transport.unary("/a.B/C", b"", [], 20)

    async def test_answered_pings_keep_a_quiet_stream_open(self) -> None:
        pings = asyncio.Event()

        def script(peer: Peer, at: int) -> None:
            receive = peer.h2.receive_data
            seen = 0

            def counting(data: bytes) -> list[Event]:
                nonlocal seen
                found = receive(data)
                seen += sum(isinstance(event, PingReceived) for event in found)
                if seen >= 5:
                    pings.set()
                return found

            peer.h2.receive_data = counting  # type: ignore[method-assign]

        async with scripted(script) as (endpoint, _):
            transport = GrpcTransport(parse_endpoint(endpoint), ping_every=0.005, ping_timeout=20)
            replies = transport.server_stream("/a.B/C", b"", [], None)
            waiting = asyncio.ensure_future(anext(replies))
            await pings.wait()
            assert not waiting.done()
            waiting.cancel()
            await asyncio.wait([waiting])
            await transport.aclose()

    async def test_a_server_that_feels_pinged_too_often_is_pinged_less(self) -> None:
        async with scripted(lambda peer, at: peer.goaway(code=ErrorCodes.ENHANCE_YOUR_CALM)) as (endpoint, _):
            transport = GrpcTransport(parse_endpoint(endpoint), ping_every=30)
            for expected in (30, 60, 120):
                with pytest.raises(errors.ConnectionLostError):
                    await transport.unary("/a.B/C", b"", [], 20)
                assert transport.ping_every == expected
            await transport.aclose()


class TestLeaving:
    async def test_cancelling_a_call_resets_its_stream(self) -> None:
        begun = asyncio.Event()
        async with scripted(lambda peer, at: begun.set()) as (endpoint, peers), Client(endpoint, timeout=20) as client:
            task = asyncio.ensure_future(unary(client, Echo.SAY, Note()))
            await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await peers[0].reset_seen.wait()
            assert peers[0].resets[0].error_code == ErrorCodes.CANCEL

    async def test_closing_a_stream_resets_it(self, echo: EchoServer, client: Client) -> None:
        replies = stream(client, Echo.COUNT, Note(to=2, hang=True))
        assert (await anext(replies)).n == 0
        await replies.aclose()
        await echo.cancelled.wait()

    async def test_closing_the_client_fails_calls_that_run(self, echo: EchoServer, client: Client) -> None:
        task = asyncio.ensure_future(unary(client, Echo.WRITE, Note(hang=True)))
        await echo.entered.wait()
        await client.aclose()
        with pytest.raises(errors.ConnectionLostError, match="the client was closed"):
            await task

    async def test_a_request_that_the_server_does_not_take_ends_with_the_connection(self) -> None:
        """More than the flow-control window: the sender waits for a window update that never comes."""
        stuck = asyncio.Event()

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"\0\0\0\4\0\0\0\0\0")
            received = 0
            while received < 65_535:
                received += len(await reader.read(65_536))
            stuck.set()
            writer.close()

        async with raw_server(talk) as address, Client(f"http://{address}", timeout=20) as client:
            with pytest.raises(errors.ConnectionLostError):
                await unary(client, Echo.WRITE, Note(big="x" * 1_000_000))
            assert stuck.is_set()

    async def test_an_answer_before_the_request_is_complete_counts(self) -> None:
        """A server may refuse a large request after its first bytes, and reset the rest."""

        def refuse(peer: Peer, at: int) -> None:
            peer.auto_window = False
            peer.begin(at, (*REPLY, ("grpc-status", "8"), ("grpc-message", "too large")), end=True)
            peer.reset(at, ErrorCodes.NO_ERROR)

        def never(peer: Peer, at: int) -> None:
            raise AssertionError("the request was sent to its end")

        async with scripted(never, on_headers=refuse) as (endpoint, _), Client(endpoint, timeout=20) as client:
            with pytest.raises(errors.ResourceExhaustedError, match="too large"):
                await unary(client, Echo.WRITE, Note(big="x" * 1_000_000))


class TestLoad:
    async def test_large_messages_pass_both_ways(self, client: Client) -> None:
        big = "x" * 5_000_000
        assert (await unary(client, Echo.SAY, Note(big=big))).big == big

    async def test_many_calls_share_one_connection(self, echo: EchoServer, client: Client) -> None:
        replies = await asyncio.gather(*(unary(client, Echo.SAY, Note(n=n)) for n in range(300)))
        assert [reply.n for reply in replies] == list(range(300))
        assert len({call.peer for call in echo.calls}) == 1


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


class TestTls:
    @pytest.fixture
    async def tls(self, certificate: Path) -> AsyncGenerator[int, None]:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
        context.set_alpn_protocols(["h2"])
        peers: list[Peer] = []
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: Peer(lambda peer, at: peer.reply(at), peers), "127.0.0.1", 0, ssl=context
        )
        yield server.sockets[0].getsockname()[1]
        server.close()
        for peer in peers:
            peer.transport.abort()

    async def test_a_trusted_server_is_called(
        self, tls: int, certificate: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        async with Client(f"https://localhost:{tls}", timeout=20) as client:
            assert (await unary(client, Echo.SAY, Note())).ok == 1

    async def test_an_untrusted_server_is_not(self, tls: int) -> None:
        text = await failure(f"https://localhost:{tls}", errors.EndpointError)
        assert "certificate of localhost" in text and "SSL_CERT_FILE" in text

    async def test_clear_text_to_a_tls_server(self, tls: int) -> None:
        text = await failure(f"http://127.0.0.1:{tls}", errors.EndpointError)
        assert "https://127.0.0.1" in text

    async def test_tls_to_a_clear_text_server(self) -> None:
        async with await serve([EchoServer()]) as server:
            text = await failure(f"https://127.0.0.1:{server.port}", errors.EndpointError)
        assert "TLS handshake" in text
