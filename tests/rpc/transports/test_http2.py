"""HTTP/2 at its edges: frames as they may come, frames as they may not, windows, and turns. On real sockets."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from typing import Any

import pytest
from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated, Event, PingAckReceived, SettingsAcknowledged, WindowUpdated
from h2.settings import SettingCodes
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flyte import errors
from flyte_rpc.calls.call_path import stream, unary
from flyte_rpc.calls.client import Client
from flyte_rpc.transports import connections
from flyte_rpc.transports.endpoint import parse_endpoint
from flyte_rpc.transports.grpc import GrpcTransport
from flyte_rpc.transports.http2.receive_windows import FIRST_WINDOW_BYTES, WINDOW_BYTES
from rpc.conftest import AT_ONCE
from support.echo import Echo, EchoServer, Note
from support.peers import OK, REPLY, Peer, raw_server, scripted

DATA, HEADERS, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 5, 6, 7, 8, 9
END_STREAM, ACK, END_HEADERS, PADDED, PRIORITY = 1, 1, 4, 8, 32


def message(data: bytes) -> bytes:
    return struct.pack(">BI", 0, len(data)) + data


def listen(peer: Peer, to: Callable[[Event], object]) -> None:
    """Have `to` see each event of a peer."""
    receive = peer.h2.receive_data

    def receiving(data: bytes) -> list[Event]:
        events = receive(data)
        for event in events:
            to(event)
        return events

    peer.h2.receive_data = receiving  # type: ignore[method-assign]


async def answered(peer: Peer) -> None:
    """Wait until the client has read all that was sent to it before."""
    done = asyncio.Event()
    listen(peer, lambda event: done.set() if isinstance(event, PingAckReceived) else None)
    peer.h2.ping(b"12345678")
    peer.flush()
    await done.wait()


class TestFramesAsTheyMayCome:
    async def test_blocks_over_many_frames_padded_and_with_priorities(self) -> None:
        def script(peer: Peer, at: int) -> None:
            block = peer.h2.encoder.encode([*REPLY, ("x-long", "v" * 300)])
            priority = struct.pack(">IB", 0, 16)
            peer.frame(HEADERS, bytes((3,)) + priority + block[:1] + b"\0\0\0", at, PADDED | PRIORITY)
            peer.frame(CONTINUATION, b"", at)
            peer.frame(CONTINUATION, block[1:20], at)
            peer.frame(CONTINUATION, block[20:], at, END_HEADERS)
            body = message(b'{"ok": 1}')
            for part in (body[:2], body[2:7], body[7:]):
                peer.frame(DATA, bytes((5,)) + part + b"\0" * 5, at, PADDED)
            peer.frame(DATA, b"\0", at, PADDED)
            peer.frame(HEADERS, peer.h2.encoder.encode(OK), at, END_HEADERS | END_STREAM)

        async with scripted(script) as (endpoint, peers), Client(endpoint, timeout=20) as client:
            for _ in range(2):
                assert (await unary(client, Echo.WRITE, Note())).ok == 1
            assert len(peers) == 1

    async def test_byte_by_byte(self) -> None:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"SM\r\n\r\n")
            body = message(b'{"ok": 1}')
            frames = (
                (SETTINGS, 0, 0, b""),
                (HEADERS, END_HEADERS, 1, b"\x88\x0f\x10\x10application/grpc"),
                (DATA, 0, 1, body),
                (HEADERS, END_HEADERS | END_STREAM, 1, b"\0\x0bgrpc-status\x010"),
            )
            for kind, flags, at, payload in frames:
                whole = struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", at) + payload
                for byte in whole:
                    writer.write(bytes((byte,)))
                    await writer.drain()
                    await asyncio.sleep(0)
                if kind == SETTINGS:
                    await reader.readuntil(message(b"{}"))
            await reader.read(-1)

        async with raw_server(talk) as address, Client(f"http://{address}", timeout=20) as client:
            assert (await unary(client, Echo.WRITE, Note())).ok == 1

    async def test_frames_of_a_call_that_was_left_are_no_surprise(self) -> None:
        left = asyncio.Event()

        def script(peer: Peer, at: int) -> None:
            if at > 1:
                peer.reply(at)
            else:
                left.set()

        async with scripted(script) as (endpoint, peers), Client(endpoint, timeout=20) as client:
            task = asyncio.ensure_future(unary(client, Echo.WRITE, Note()))
            await left.wait()
            task.cancel()
            await asyncio.wait([task])
            # Its headers change the table that later ones refer to; its data counts in the connection's window.
            block = peers[0].h2.encoder.encode([*REPLY, ("x-new", "1")])
            peers[0].frame(HEADERS, block, 1, END_HEADERS)
            peers[0].frame(DATA, message(b"{}"), 1)
            peers[0].frame(WINDOW_UPDATE, b"\0\0\0\1", 1)
            peers[0].frame(RST_STREAM, b"\0\0\0\0", 1)
            assert (await unary(client, Echo.WRITE, Note())).ok == 1
            assert len(peers) == 1

    async def test_pings_are_answered(self) -> None:
        def script(peer: Peer, at: int) -> None:
            listen(peer, lambda event: peer.reply(at) if isinstance(event, PingAckReceived) else None)
            peer.h2.ping(b"are you?")

        async with scripted(script) as (endpoint, _), Client(endpoint, timeout=20) as client:
            assert (await unary(client, Echo.WRITE, Note())).ok == 1

    @pytest.mark.parametrize("size", [0, 4096])
    async def test_a_server_may_limit_the_table_of_headers(self, size: int) -> None:
        async with (
            scripted(lambda peer, at: peer.reply(at)) as (endpoint, peers),
            Client(endpoint, timeout=20, metadata=[("x-kind", "test")]) as client,
        ):
            await unary(client, Echo.WRITE, Note())
            peers[0].h2.update_settings({SettingCodes.HEADER_TABLE_SIZE: size})
            peers[0].flush()
            await answered(peers[0])
            for _ in range(3):
                await unary(client, Echo.SAY, Note())
            assert [headers["x-kind"] for headers in peers[0].headers] == ["test"] * 4
            assert [headers[":path"] for headers in peers[0].headers[1:]] == ["/test.Echo/Say"] * 3

    async def test_headers_that_exceed_a_frame_are_sent_in_several(self) -> None:
        metadata = [(f"x-{n}", "v" * 9000) for n in range(4)]
        async with (
            scripted(lambda peer, at: peer.reply(at)) as (endpoint, peers),
            Client(endpoint, timeout=20, metadata=metadata) as client,
        ):
            assert (await unary(client, Echo.WRITE, Note())).ok == 1
            assert peers[0].headers[0].items() >= dict(metadata).items()


class TestFramesAsTheyMayNotCome:
    @pytest.mark.parametrize(
        ("kind", "flags", "at", "body", "code"),
        [
            (DATA, 0, 0, b"x", ErrorCodes.PROTOCOL_ERROR),
            (DATA, 0, 2, b"x", ErrorCodes.PROTOCOL_ERROR),
            (DATA, 0, 99, b"x", ErrorCodes.PROTOCOL_ERROR),
            (HEADERS, END_HEADERS, 99, b"\x88", ErrorCodes.PROTOCOL_ERROR),
            (HEADERS, END_HEADERS, 1, b"\xff\xff\xff\xff\xff\xff", ErrorCodes.COMPRESSION_ERROR),
            (HEADERS, END_HEADERS | PADDED, 1, b"\x09\x88", ErrorCodes.PROTOCOL_ERROR),
            (HEADERS, END_HEADERS | PADDED, 1, b"", ErrorCodes.PROTOCOL_ERROR),
            (HEADERS, END_HEADERS | PRIORITY, 1, b"\0\0", ErrorCodes.PROTOCOL_ERROR),
            (CONTINUATION, END_HEADERS, 1, b"\x88", ErrorCodes.PROTOCOL_ERROR),
            (PUSH_PROMISE, END_HEADERS, 1, b"\0\0\0\2\x88", ErrorCodes.PROTOCOL_ERROR),
            (RST_STREAM, 0, 1, b"\0", ErrorCodes.FRAME_SIZE_ERROR),
            (RST_STREAM, 0, 0, b"\0\0\0\0", ErrorCodes.PROTOCOL_ERROR),
            (SETTINGS, 0, 0, b"\0", ErrorCodes.FRAME_SIZE_ERROR),
            (SETTINGS, 0, 1, b"", ErrorCodes.PROTOCOL_ERROR),
            (SETTINGS, 0, 0, struct.pack(">HI", 4, 2**31), ErrorCodes.FLOW_CONTROL_ERROR),
            (SETTINGS, 0, 0, struct.pack(">HI", 5, 100), ErrorCodes.PROTOCOL_ERROR),
            (PING, 0, 0, b"1234567", ErrorCodes.FRAME_SIZE_ERROR),
            (PING, 0, 1, b"12345678", ErrorCodes.PROTOCOL_ERROR),
            (GOAWAY, 0, 0, b"\0\0\0\0", ErrorCodes.FRAME_SIZE_ERROR),
            (GOAWAY, 0, 1, b"\0" * 8, ErrorCodes.PROTOCOL_ERROR),
            (WINDOW_UPDATE, 0, 0, b"\0\0\0\0", ErrorCodes.FLOW_CONTROL_ERROR),
            (WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff", ErrorCodes.FLOW_CONTROL_ERROR),
            (WINDOW_UPDATE, 0, 0, b"\0", ErrorCodes.FRAME_SIZE_ERROR),
            (DATA, 0, 1, b"x" * 16_385, ErrorCodes.FRAME_SIZE_ERROR),
        ],
    )
    async def test_the_connection_ends(self, kind: int, flags: int, at: int, body: bytes, code: ErrorCodes) -> None:
        seen: list[Event] = []

        def script(peer: Peer, stream_id: int) -> None:
            listen(peer, seen.append)
            peer.frame(kind, body, at, flags)

        async with scripted(script) as (endpoint, peers), Client(endpoint, timeout=20) as client:
            with pytest.raises(errors.ConnectionLostError, match="Protocol error: ") as raised:
                await unary(client, Echo.WRITE, Note())
            assert not raised.value.unprocessed
            await peers[0].gone.wait()
            assert [event.error_code for event in seen if isinstance(event, ConnectionTerminated)] == [code]

    @pytest.mark.parametrize("between", [(DATA, 1), (HEADERS, 1), (CONTINUATION, 3), (0xBB, 0)])
    async def test_nothing_comes_between_the_frames_of_a_header_block(self, between: tuple[int, int]) -> None:
        def script(peer: Peer, at: int) -> None:
            peer.frame(HEADERS, b"\x88", at)
            peer.frame(between[0], b"", between[1])

        async with scripted(script) as (endpoint, _), Client(endpoint, timeout=20) as client:
            with pytest.raises(errors.ConnectionLostError, match="Protocol error: a header block is interrupted"):
                await unary(client, Echo.WRITE, Note())

    async def test_a_header_block_has_limits(self) -> None:
        def script(peer: Peer, at: int) -> None:
            peer.frame(HEADERS, b"\x88", at)
            for _ in range(5):
                peer.frame(CONTINUATION, b"\x88" * 16_000, at)

        async with scripted(script) as (endpoint, _), Client(endpoint, timeout=20) as client:
            with pytest.raises(errors.ConnectionLostError, match="Protocol error: a header block is too large"):
                await unary(client, Echo.WRITE, Note())

    @pytest.mark.parametrize(
        ("breaks", "code"),
        [
            (lambda peer, at: peer.frame(DATA, message(b"{}"), at), ErrorCodes.PROTOCOL_ERROR),
            (
                lambda peer, at: [peer.begin(at), peer.frame(HEADERS, b"\x88", at, END_HEADERS)],
                ErrorCodes.PROTOCOL_ERROR,
            ),
            (lambda peer, at: peer.frame(WINDOW_UPDATE, b"\0\0\0\0", at), ErrorCodes.FLOW_CONTROL_ERROR),
            (lambda peer, at: peer.frame(WINDOW_UPDATE, b"\x7f\xff\xff\xff", at), ErrorCodes.FLOW_CONTROL_ERROR),
        ],
        ids=["data before headers", "headers twice", "no more", "too much more"],
    )
    async def test_only_the_call_ends(self, breaks: Callable[[Peer, int], object], code: ErrorCodes) -> None:
        def script(peer: Peer, at: int) -> None:
            if at > 1:
                peer.reply(at)
            else:
                breaks(peer, at)

        async with scripted(script) as (endpoint, peers), Client(endpoint, timeout=20) as client:
            with pytest.raises(errors.ConnectionLostError, match=f"broke the rules of HTTP/2 \\({code.name}\\)"):
                await unary(client, Echo.WRITE, Note())
            assert (await unary(client, Echo.WRITE, Note())).ok == 1
            assert len(peers) == 1
            assert [reset.error_code for reset in peers[0].resets] == [code]


class TestWindows:
    async def test_a_message_may_be_larger_than_the_window(self) -> None:
        body = message(b'{"big": "' + b"x" * WINDOW_BYTES + b'"}')
        windows: dict[int, int] = {0: WINDOW_BYTES, 1: FIRST_WINDOW_BYTES}
        sent = 0

        def script(peer: Peer, at: int) -> None:
            peer.begin(at)
            listen(peer, lambda event: send(peer, event))
            send(peer)

        def send(peer: Peer, event: Event | None = None) -> None:
            nonlocal sent
            if isinstance(event, WindowUpdated):
                windows[event.stream_id] += event.delta
            room = min(windows.values())
            for at in range(sent, min(sent + room, len(body)), 16_384):  # past h2, which would take seconds
                part = body[at : min(at + 16_384, sent + room)]
                peer.frame(DATA, part, 1)
                for one in windows:
                    windows[one] -= len(part)
            if sent < len(body) <= sent + room:
                peer.end(1)
            sent = min(sent + room, len(body))

        async with scripted(script) as (endpoint, _), Client(endpoint, timeout=60) as client:
            assert len((await unary(client, Echo.WRITE, Note())).big) == WINDOW_BYTES

    async def test_a_reader_that_falls_behind_holds_up_its_own_stream_only(self) -> None:
        each, count = 16_384, 1000
        body = message(b'{"x": "' + b"x" * (each - 14) + b'"}')
        assert len(body) == each
        sent = 0

        def script(peer: Peer, at: int) -> None:
            if at > 1:
                peer.reply(at)
                return
            peer.begin(at)
            listen(peer, lambda event: send(peer) if isinstance(event, WindowUpdated) else None)
            send(peer)

        def send(peer: Peer) -> None:
            nonlocal sent
            while sent < count and peer.h2.local_flow_control_window(1) >= each:
                peer.h2.send_data(1, body)
                sent += 1
            peer.flush()

        async with scripted(script) as (endpoint, peers), Client(endpoint, timeout=60) as client:
            replies = stream(client, Echo.COUNT, Note())
            await anext(replies)
            await answered(peers[0])
            await answered(peers[0])
            assert sent * each <= 2 * FIRST_WINDOW_BYTES, "a reader that does not read costs little"
            assert (await unary(client, Echo.SAY, Note())).ok == 1
            for _ in range(count - 1):
                await anext(replies)
            assert sent == count
            await replies.aclose()

    @pytest.mark.parametrize("how", ["settings", "update"])
    async def test_a_request_waits_for_room(self, how: str) -> None:
        """The server first allows nothing, and then all of it."""

        def on_headers(peer: Peer, at: int) -> None:
            if at == 3:
                assert peer.h2.remote_flow_control_window(at) == 0
                if how == "settings":
                    peer.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 65_535})
                else:
                    peer.h2.increment_flow_control_window(100, at)

        async with (
            scripted(lambda peer, at: peer.reply(at), on_headers) as (endpoint, peers),
            Client(endpoint, timeout=20) as client,
        ):
            await unary(client, Echo.WRITE, Note())
            acknowledged = asyncio.Event()
            listen(peers[0], lambda event: acknowledged.set() if isinstance(event, SettingsAcknowledged) else None)
            peers[0].h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 0})
            peers[0].flush()
            await acknowledged.wait()
            assert (await unary(client, Echo.WRITE, Note())).ok == 1

    async def test_large_requests_share_the_connections_window(self, echo: EchoServer, client: Client) -> None:
        bigs = [str(n) * 300_000 for n in range(8)]
        replies = await asyncio.gather(*(unary(client, Echo.SAY, Note(big=big)) for big in bigs))
        assert [reply.big for reply in replies] == bigs


class TestTurns:
    """A server says how many calls it takes at once, and the client may open no further connection."""

    @pytest.fixture(autouse=True)
    def one_connection(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(connections, "MAX_CONNECTIONS", 1)

    async def limited(self, client: Client, peers: list[Peer], most: int) -> Peer:
        await unary(client, Echo.WRITE, Note())
        peers[0].h2.update_settings({SettingCodes.MAX_CONCURRENT_STREAMS: most})
        await answered(peers[0])
        return peers[0]

    async def test_the_rest_waits_in_order(self) -> None:
        open_calls: list[int] = []
        most = 0

        def script(peer: Peer, at: int) -> None:
            nonlocal most
            if at == 1:
                peer.reply(at)
                return
            open_calls.append(at)
            most = max(most, len(open_calls))
            asyncio.get_running_loop().call_soon(reply, peer)

        def reply(peer: Peer) -> None:
            at = open_calls.pop(0)
            peer.reply(at, b'{"at": %d}' % at)
            peer.flush()

        async with scripted(script) as (endpoint, peers), Client(endpoint, timeout=20) as client:
            await self.limited(client, peers, 3)
            replies = await asyncio.gather(*(unary(client, Echo.WRITE, Note()) for _ in range(50)))
            assert [reply.at for reply in replies] == list(range(3, 103, 2))
            assert most == 3
            assert len(peers) == 1

    async def test_leaving_the_queue_and_leaving_a_call_make_room(self) -> None:
        begun: asyncio.Queue[int] = asyncio.Queue()
        answers = False

        def script(peer: Peer, at: int) -> None:
            if at == 1 or answers:
                peer.reply(at)
            else:
                begun.put_nowait(at)

        async with scripted(script) as (endpoint, peers), Client(endpoint, timeout=20) as client:
            await self.limited(client, peers, 1)
            first, second, third = (asyncio.ensure_future(unary(client, Echo.WRITE, Note())) for _ in range(3))
            await begun.get()
            second.cancel()
            await asyncio.wait([second])
            answers = True
            first.cancel()
            assert (await third).ok == 1
            assert len(peers[0].headers) == 3  # what left the queue was never sent

    async def test_the_deadline_covers_the_queue(self) -> None:
        def script(peer: Peer, at: int) -> None:
            if at == 1:
                peer.reply(at)

        async with scripted(script) as (endpoint, peers), Client(endpoint, timeout=20) as client:
            await self.limited(client, peers, 0)
            with pytest.raises(errors.DeadlineExceededError, match=r"the server takes no request after 0\.01 s"):
                await unary(client, Echo.WRITE, Note(), timeout=0.01)

    @pytest.mark.parametrize("how", ["goaway", "close"])
    async def test_what_waits_goes_over_the_next_connection(self, how: str) -> None:
        def script(peer: Peer, at: int) -> None:
            if at == 1 or peer is not peers[0]:
                peer.reply(at)
            elif how == "goaway":
                peer.goaway()
                peer.reply(at)
            else:
                peer.transport.close()

        async with scripted(script) as (endpoint, peers), Client(endpoint, timeout=20, retry=AT_ONCE) as client:
            await self.limited(client, peers, 1)
            calls = (unary(client, Echo.WRITE, Note()) for _ in range(5))
            lost, *others = await asyncio.gather(*calls, return_exceptions=True)
            assert all(isinstance(reply, Note) for reply in others)
            assert isinstance(lost, Note if how == "goaway" else errors.ConnectionLostError)
            assert len(peers) == 2


async def test_closing_does_not_wait_for_a_peer_that_does_not_read() -> None:
    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        window = struct.pack(">HI", 4, 2**31 - 1)
        writer.write(struct.pack(">I", len(window))[1:] + bytes((SETTINGS, 0)) + b"\0\0\0\0" + window)
        writer.write(b"\0\0\4" + bytes((WINDOW_UPDATE, 0)) + b"\0\0\0\0" + struct.pack(">I", 2**30))
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.Event().wait()

    async with raw_server(deaf) as address:
        transport = GrpcTransport(parse_endpoint(f"http://{address}"), close_seconds=0.01)
        with pytest.raises(errors.DeadlineExceededError, match="the server takes no request"):
            await transport.unary("/a.B/C", b"x" * 100_000_000, [], 0.5)
        await transport.aclose()


_BLOCKS = (b"\x88\x0f\x10\x10application/grpc", b"\0\x0bgrpc-status\x010", b"\x88", b"\x40\x01x\x01y", b"\xbe", b"\xff")
_BODIES = (message(b'{"ok": 1}'), message(b"{}")[:3], b"", b"\1\0\0\0\0", b"\0\xff\xff\xff\xff", b"\0\0\0\4", b"\x08x")
_frames = st.lists(
    st.tuples(
        st.one_of(st.sampled_from([DATA, HEADERS, CONTINUATION]), st.integers(0, 10)),
        st.sampled_from([0, END_STREAM, END_HEADERS, END_HEADERS | END_STREAM, PADDED, 255]),
        st.sampled_from([1, 1, 1, 0, 2, 3]),
        st.one_of(st.sampled_from(_BLOCKS), st.sampled_from(_BODIES), st.binary(max_size=12)),
    ),
    max_size=8,
)


@given(_frames)
@example([(HEADERS, END_HEADERS, 2, _BLOCKS[0])])
@settings(max_examples=100, deadline=None)
def test_whatever_a_server_sends_ends_in_a_reply_or_an_error_of_ours(frames: list[tuple[int, int, int, bytes]]) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\0\0\0\4\0\0\0\0\0")
        await reader.readuntil(message(b"{}"))
        for kind, flags, at, payload in frames:
            head = struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", at)
            writer.write(head + payload)
        await writer.drain()

    async def call() -> None:
        problems: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: problems.append(context))
        async with raw_server(talk) as address, Client(f"http://{address}", timeout=20) as client:
            try:
                assert isinstance(await unary(client, Echo.WRITE, Note(), timeout=20), Note)
            except errors.RpcError as error:
                assert not isinstance(error, errors.DeadlineExceededError)  # the server has closed the connection
        assert problems == []

    asyncio.run(call())
