"""What the client makes of servers, and of things that are not servers. No delay is waited for: faults are scripted."""

from __future__ import annotations

import asyncio
import base64
import re
import socket

import pytest
from h2.errors import ErrorCodes

from flyte import errors
from flyte_rpc.calls.call_path import stream, unary
from flyte_rpc.calls.client import Client
from flyte_rpc.transports.endpoint import parse_endpoint
from flyte_rpc.transports.grpc import GrpcTransport
from rpc.conftest import failure
from support.echo import Echo, EchoServer, Note
from support.peers import OK, REPLY, Peer, raw_server, saying, scripted, silent


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class TestEndpointsThatAreNot:
    @pytest.mark.parametrize("transport", ["grpc", "connect", "grpclib", "auto"])
    async def test_nothing_listens(self, transport: str) -> None:
        port = free_port()
        text = await failure(f"http://127.0.0.1:{port}", errors.EndpointError, rpc=Echo.SAY, transport=transport)
        assert f"nothing is listening on 127.0.0.1:{port}" in text
        assert "attempts" not in text

    @pytest.mark.parametrize("transport", ["grpc", "connect", "grpclib", "auto"])
    async def test_nothing_listens_on_any_address_of_the_host(self, transport: str) -> None:
        text = await failure(f"http://localhost:{free_port()}", errors.EndpointError, transport=transport)
        assert "nothing is listening on localhost" in text

    @pytest.mark.parametrize("transport", ["grpc", "connect", "grpclib", "auto"])
    async def test_the_name_does_not_resolve(self, transport: str) -> None:
        text = await failure("http://no-such-host.invalid:80", errors.EndpointError, transport=transport)
        assert "the host name 'no-such-host.invalid' cannot be resolved" in text

    @pytest.mark.parametrize(
        ("says", "shown"),
        [
            (
                b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\n\r\n<html>",
                "speaks HTTP/1.1, not gRPC ('HTTP/1.1 400 Bad",
            ),
            (b"<!DOCTYPE html><p>505", "sends an HTML page, not gRPC"),
            (b"\x15\x03\x01\x00\x02\x02\x46", "expects TLS"),
            (b"SSH-2.0-OpenSSH_9.2\r\n", "does not speak gRPC (it sends b'SSH-2.0-OpenSSH_9.2"),
            (b"", "closes the connection without an answer"),
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
            said = await failure(f"http://{address}", errors.DeadlineExceededError, timeout=0.01)
            # What is left for connecting, which is a little less than the timeout.
            assert re.search(r"not connected to the server after 0\.0\d+ s", said)

    @pytest.mark.parametrize(
        ("headers", "error", "shown"),
        [
            (((":status", "404"), ("content-type", "text/html")), errors.EndpointError, "HTTP 404 of type text/html"),
            (((":status", "200"), ("content-type", "text/html")), errors.EndpointError, "HTTP 200 of type text/html"),
            (((":status", "204"),), errors.EndpointError, "HTTP 204"),
            (
                ((":status", "301"), ("location", "https://login.example/?next=1")),
                errors.EndpointError,
                "redirects to https://login",
            ),
            (((":status", "401"), ("content-type", "text/html")), errors.UnauthenticatedError, "HTTP 401"),
            (((":status", "403"),), errors.PermissionDeniedError, "HTTP 403"),
            (((":status", "429"),), errors.UnavailableError, "HTTP 429"),
            (((":status", "502"), ("content-type", "text/html")), errors.UnavailableError, "HTTP 502"),
            (
                ((":status", "503"), ("grpc-status", "14"), ("grpc-message", "no upstream")),
                errors.UnavailableError,
                "no upstream",
            ),
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

    async def test_details_with_a_credential_are_not_kept(self) -> None:
        packed = base64.b64encode(b"\x08\x10\x12\x07hunter2").decode().rstrip("=")
        trailers = (("grpc-status", "16"), ("grpc-status-details-bin", packed))
        async with (
            scripted(lambda peer, at: peer.begin(at, (*REPLY, *trailers), end=True)) as (endpoint, _),
            Client(endpoint, token="hunter2") as client,
        ):
            with pytest.raises(errors.UnauthenticatedError) as raised:
                await unary(client, Echo.SAY, Note())
            assert raised.value.details == b""

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
            ({"data": b"not json"}, errors.DecodeError, "the reply is not a valid Note"),
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

    async def test_many_calls_share_few_connections(self, echo: EchoServer, client: Client) -> None:
        replies = await asyncio.gather(*(unary(client, Echo.SAY, Note(n=n)) for n in range(300)))
        assert [reply.n for reply in replies] == list(range(300))
        assert len({call.peer for call in echo.calls}) <= 3
