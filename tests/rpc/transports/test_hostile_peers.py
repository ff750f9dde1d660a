"""Peers that would fill the client's memory, and replies that bend the protocol."""

from __future__ import annotations

import asyncio
import gzip
import struct
from collections.abc import Callable

import pytest
from h2.errors import ErrorCodes
from h2.settings import SettingCodes
from hpack import Decoder

from flyte import errors
from flyte_rpc.calls.call_path import unary
from flyte_rpc.calls.client import Client
from flyte_rpc.transports.http2.headers import HeaderWriter
from support.echo import Echo, Note
from support.peers import REPLY, Peer, raw_server, scripted

DATA, HEADERS, PING, CONTINUATION, END_HEADERS = 0x0, 0x1, 0x6, 0x9, 0x4


def _continuations(peer: Peer, at: int) -> None:
    peer.frame(HEADERS, b"", at)
    for _ in range(200):
        peer.frame(CONTINUATION, b"", at)


def _empty_data(peer: Peer, at: int) -> None:
    peer.begin(at)
    for _ in range(2000):
        peer.frame(DATA, b"", at)


def _informational(peer: Peer, at: int) -> None:
    for _ in range(2000):
        peer.frame(HEADERS, b"\x08\x03103", at, END_HEADERS)


@pytest.mark.parametrize("flood", [_continuations, _empty_data, _informational])
async def test_a_flood_of_frames_that_carry_nothing_ends_the_connection(flood: Callable[[Peer, int], None]) -> None:
    async with scripted(flood) as (endpoint, peers), Client(endpoint, timeout=20) as client:
        with pytest.raises(errors.ConnectionLostError, match="Protocol error"):
            await unary(client, Echo.WRITE, Note())
        await peers[0].gone.wait()


async def test_a_peer_that_pings_and_does_not_read_is_not_read_any_more() -> None:
    """Each ping has to be answered; the answers would pile up without end."""
    ping = b"\0\0\x08" + bytes((PING, 0)) + b"\0\0\0\0" + b"12345678"
    blocked = asyncio.Event()
    sent = 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.read(1)
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(b"\0\0\0\4\0\0\0\0\0")
        while True:
            writer.write(ping * 1000)
            sent += 1000
            try:
                await asyncio.wait_for(writer.drain(), 1)
            except TimeoutError:
                blocked.set()
                await asyncio.Event().wait()

    async with raw_server(flood) as address, Client(f"http://{address}", timeout=60) as client:
        call = asyncio.ensure_future(unary(client, Echo.WRITE, Note()))
        await blocked.wait()
        assert sent < 2_000_000, "what the sockets hold, and no more"
        call.cancel()
        await asyncio.wait([call])


class TestCompression:
    @staticmethod
    async def reply(body: bytes, encoding: str = "gzip") -> Note:
        def script(peer: Peer, at: int) -> None:
            peer.begin(at, (*REPLY, ("grpc-encoding", encoding)))
            peer.message(at, body, flag=1)
            peer.end(at)

        async with scripted(script) as (endpoint, _), Client(endpoint, timeout=20) as client:
            return await unary(client, Echo.WRITE, Note())

    async def test_gzip_that_was_not_offered_is_read(self) -> None:
        assert (await self.reply(gzip.compress(b'{"ok": 1}'))).ok == 1

    @pytest.mark.parametrize(
        ("body", "encoding", "shown"),
        [
            (b"not gzip", "gzip", "compressed message is broken"),
            (gzip.compress(b'{"ok": 1}', mtime=0)[:-9], "gzip", "cut short"),
            (b"x", "br", "compressed as 'br', which was not agreed"),
        ],
    )
    async def test_what_cannot_be_read(self, body: bytes, encoding: str, shown: str) -> None:
        with pytest.raises(errors.DecodeError, match=shown):
            await self.reply(body, encoding)

    async def test_a_bomb(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("flyte_rpc.transports.framing.MAX_MESSAGE_BYTES", 100_000)
        with pytest.raises(errors.DecodeError, match="expands to more than the limit of 100,000 bytes"):
            await self.reply(gzip.compress(b" " * 10_000_000))


async def test_a_status_of_thousands_of_digits() -> None:
    def script(peer: Peer, at: int) -> None:
        peer.begin(at)
        peer.end(at, (("grpc-status", "9" * 6000),))

    async with scripted(script) as (endpoint, _), Client(endpoint, timeout=20) as client:
        with pytest.raises(errors.UnknownError, match="without a gRPC status"):
            await unary(client, Echo.WRITE, Note())


async def test_a_status_in_headers_and_then_a_reset_without_error_is_a_reply() -> None:
    def script(peer: Peer, at: int) -> None:
        peer.begin(at, (*REPLY, ("grpc-status", "5"), ("grpc-message", "no such note")))
        peer.reset(at, ErrorCodes.NO_ERROR)

    async with scripted(script) as (endpoint, _), Client(endpoint, timeout=20) as client:
        with pytest.raises(errors.NotFoundError, match="no such note"):
            await unary(client, Echo.WRITE, Note())


async def test_dropped_trailers_are_named() -> None:
    def script(peer: Peer, at: int) -> None:
        peer.begin(at)
        peer.message(at, b'{"ok": 1}', end=True)

    async with scripted(script) as (endpoint, _), Client(endpoint, timeout=20) as client:
        with pytest.raises(errors.ConnectionLostError, match="drops HTTP trailers"):
            await unary(client, Echo.WRITE, Note())


@pytest.mark.parametrize("sizes", [(0, 4096), (100, 200), (4096, 0), (0, 100, 50, 4096), (50, 0, 10)])
def test_a_table_size_that_changes_twice_between_two_requests(sizes: tuple[int, ...]) -> None:
    writer, decoder = HeaderWriter("http", "example", "test"), Decoder()
    expected = decoder.decode(writer.write("/a.B/C", [("x-a", "1")], ""))
    for size in sizes:
        writer.limit_table(size)
    decoder.max_allowed_table_size = max(sizes)
    block = writer.write("/a.B/C", [("x-a", "1")], "")
    updates = _table_updates(block)
    assert len(updates) <= 2 and updates[-1] == sizes[-1] and min(updates) == min(sizes)
    assert decoder.decode(block) == expected


def _table_updates(block: bytes) -> list[int]:
    """The size updates that a header block begins with: five bits, or more with the rest in seven each."""
    found, at = list[int](), 0
    while block[at] & 0xE0 == 0x20:
        value, shift = block[at] & 0x1F, 0
        at += 1
        if value == 0x1F:
            while True:
                value += (block[at] & 0x7F) << shift
                shift, at = shift + 7, at + 1
                if not block[at - 1] & 0x80:
                    break
        found.append(value)
    return found


async def test_settings_that_change_twice_between_two_requests() -> None:
    async with scripted(lambda peer, at: peer.reply(at)) as (endpoint, peers), Client(endpoint, timeout=20) as client:
        await unary(client, Echo.WRITE, Note())
        for size in (0, 4096):
            peers[0].h2.update_settings({SettingCodes.HEADER_TABLE_SIZE: size})
            peers[0].flush()
        for _ in range(3):
            assert (await unary(client, Echo.WRITE, Note())).ok == 1
        assert len(peers) == 1


def test_a_message_has_a_known_flag() -> None:
    from flyte_rpc.transports.framing import BadFrame, message_size

    with pytest.raises(BadFrame, match="unknown flag 7"):
        message_size(struct.pack(">BL", 7, 0), 0, 10)
