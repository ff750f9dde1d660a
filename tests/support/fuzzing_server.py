"""An HTTP/2 server that changes settings, windows, header tables and the form of its frames at random while calls run.

It is built on the h2 library, which checks everything that the client sends against the settings that the client has
acknowledged. Each request has a digest of its metadata and body, and each reply is the body reversed.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import struct
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import NamedTuple, cast
from urllib.parse import quote

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, Event, RequestReceived, SettingsAcknowledged, StreamEnded, StreamReset
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes

_HEADERS, _CONTINUATION = 1, 9
_END_STREAM, _END_HEADERS, _PADDED, _PRIORITY = 1, 4, 8, 32

SETTINGS: dict[SettingCodes, tuple[int, ...]] = {
    SettingCodes.INITIAL_WINDOW_SIZE: (0, 0, 1, 10, 1000, 65_535, 200_000, 2**20),
    SettingCodes.MAX_FRAME_SIZE: (16_384, 16_385, 50_000, 2**24 - 1),
    SettingCodes.HEADER_TABLE_SIZE: (0, 40, 100, 300, 4096, 65_536),
    SettingCodes.MAX_CONCURRENT_STREAMS: (0, 1, 2, 5, 20, 100, 2**31),
}
"""What each setting may change to."""

_LARGEST_WINDOW = 2**20

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


class Profile(NamedTuple):
    """How often a connection does what. Some faults show only if nothing else hides them."""

    tables: int = 1
    """How often the server changes the size of its own header table."""
    grants: int = 8
    """How often the server opens windows by WINDOW_UPDATE. With 0, only settings open the windows of streams."""
    sizes: tuple[int, ...] = (0, 1, 4, 5, 6, 100, 16_384, 16_384)
    """Sizes of DATA frames."""
    paddings: tuple[int | None, ...] = (None, None, 0, 1, 255)
    variety: int = 5
    """How many headers there are beside those of the protocol."""
    fresh: float = 0.0
    """How often there is one that was never sent, so that all entries of the table move by one place."""


PROFILES = (
    Profile(),
    Profile(grants=0),
    Profile(sizes=(150, 200), paddings=(255,)),
    Profile(tables=0, variety=1, fresh=0.1),
)


class Exchange:
    """One request and what is still to be sent of its reply."""

    def __init__(self, headers: dict[str, str]) -> None:
        self.headers = headers
        self.request = bytearray()
        self.complete = False
        self.begun = False
        self.reply = b""

    @property
    def unary_connect(self) -> bool:
        return self.headers["content-type"] == "application/proto"


class FuzzingPeer(asyncio.Protocol):
    """One connection."""

    def __init__(self, chance: random.Random, profile: Profile, violations: list[str]) -> None:
        self.chance = chance
        self.profile = profile
        self.violations = violations
        self.h2 = H2Connection(
            H2Configuration(client_side=False, header_encoding="utf-8", validate_outbound_headers=False)
        )
        self.exchanges: dict[int, Exchange] = {}
        self.received = b""
        self.expected = len(_PREFACE)
        """Bytes of the next part: the preface, the head of a frame or its payload."""
        self.in_head = False
        self.unacknowledged = False
        self.changes = 0
        """How many SETTINGS frames were sent."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.h2.initiate_connection()
        self.unacknowledged = True
        if not self.profile.grants:
            self.h2.increment_flow_control_window(2**30)
        self.flush()
        self.task = asyncio.ensure_future(self._run())

    def connection_lost(self, exc: Exception | None) -> None:
        self.task.cancel()

    def data_received(self, data: bytes) -> None:
        self.received += data
        try:
            # h2 gets one frame at a time, because it applies a new MAX_FRAME_SIZE only to what is fed later.
            while len(self.received) >= self.expected:
                part, self.received = self.received[: self.expected], self.received[self.expected :]
                self.in_head = not self.in_head
                self._note(self.h2.receive_data(part))
                self.expected = 9 if self.in_head else int.from_bytes(part[:3])
        except ProtocolError as error:
            self.violations.append(f"{type(error).__name__}: {error}")
            self.transport.abort()
            return
        self.flush()

    def _note(self, events: list[Event]) -> None:
        for event in events:
            match event:
                case RequestReceived():
                    self.exchanges[event.stream_id] = Exchange(dict(event.headers))  # type: ignore[arg-type]
                case DataReceived():
                    self.exchanges[event.stream_id].request += event.data
                case StreamEnded():
                    self._answer(self.exchanges[event.stream_id])
                case StreamReset():
                    self.exchanges.pop(event.stream_id, None)
                case SettingsAcknowledged():
                    self.unacknowledged = False
                    if change := event.changed_settings.get(SettingCodes.HEADER_TABLE_SIZE):
                        # A peer may drop entries as soon as the smaller size is acknowledged. h2 waits for an update.
                        table = self.h2.decoder.header_table
                        table.maxsize = min(table.maxsize, change.new_value)
                case _:
                    pass

    def _answer(self, exchange: Exchange) -> None:
        body = bytes(exchange.request)
        if not exchange.unary_connect:
            if len(body) < 5 or struct.unpack(">BI", body[:5]) != (0, len(body) - 5):
                self.violations.append("the request is not one message")
            body = body[5:]
        metadata = {name: value for name, value in exchange.headers.items() if name.startswith("x-")}
        if metadata.pop("x-request-id", None) != digest(body, metadata):
            self.violations.append("the request is not what was sent")
        body = body[::-1]
        exchange.complete = True
        if exchange.unary_connect:
            exchange.reply = body
        elif not exchange.headers[":path"].endswith("/Stream"):
            exchange.reply = _message(body)
        else:
            exchange.reply = b"".join(_message(part) for part in self._parts(body))
        if exchange.headers["content-type"] == "application/connect+proto":
            exchange.reply += _message(b"{}", flag=2)

    def _parts(self, body: bytes) -> Iterator[bytes]:
        at = 0
        while at < len(body):
            size = self.chance.choice((0, 1, 7, 1000, 50_000))
            yield body[at : at + size]
            at += size

    async def _run(self) -> None:
        while True:
            for _ in range(self.chance.choice((1, 5, 20))):
                self._step()
            self.flush()
            # Sometimes other tasks run first, sometimes the socket empties.
            await asyncio.sleep(self.chance.choice((0, 0, 0.001)))

    def _step(self) -> None:
        steps: tuple[tuple[int, Callable[[], None]], ...] = (
            (1, self._change_settings),
            (self.profile.tables, self._change_table),
            (1, self._ping),
            (1, self._send_unknown_frame),
            (self.profile.grants, self._grant_connection),
            (self.profile.grants, self._grant_stream),
            (20, self._send),
        )
        weights, actions = zip(*steps, strict=True)
        self.chance.choices(actions, weights)[0]()

    def _change_settings(self) -> None:
        if self.unacknowledged:
            return  # h2 does not tell which of two frames an acknowledgement is for
        codes = self.chance.sample(list(SETTINGS), self.chance.randint(1, len(SETTINGS)))
        self.h2.update_settings({code: self.chance.choice(SETTINGS[code]) for code in codes})
        self.unacknowledged = True
        self.changes += 1

    def _change_table(self) -> None:
        size = self.chance.choice((0, 50, 200, 1000, 4096))
        if size != self.h2.encoder.header_table_size:  # hpack forgets an earlier change when the size is set again
            self.h2.encoder.header_table_size = size

    def _ping(self) -> None:
        self.h2.ping(self.chance.randbytes(8))

    def _send_unknown_frame(self) -> None:
        self.flush()
        self.transport.write(_frame(0xBB, self.chance.randrange(256), self.chance.choice((0, 1)), b"unknown"))

    def _grant_connection(self) -> None:
        if (room := _LARGEST_WINDOW - self.h2.inbound_flow_control_window) > 0:
            self.h2.increment_flow_control_window(self.chance.randint(1, room))

    def _grant_stream(self) -> None:
        uploads = [at for at, exchange in self.exchanges.items() if not exchange.complete]
        if uploads:
            at = self.chance.choice(uploads)
            window = self.h2._get_stream_by_id(at).inbound_flow_control_window
            if window < _LARGEST_WINDOW:
                self.h2.increment_flow_control_window(self.chance.choice((1, 100, 10_000, 100_000)), at)

    def _send(self) -> None:
        replies = [(at, exchange) for at, exchange in self.exchanges.items() if exchange.complete]
        if not replies:
            return
        at, exchange = self.chance.choice(replies)
        if not exchange.begun:
            if self.chance.random() < 0.2:
                self.h2.send_headers(at, [(":status", "103"), *self._headers()])
            self.h2.send_headers(
                at, [(":status", "200"), ("content-type", exchange.headers["content-type"]), *self._headers()]
            )
            exchange.begun = True
        elif exchange.reply:
            self._send_data(at, exchange)
        else:
            del self.exchanges[at]
            if exchange.headers["content-type"] != "application/grpc":
                self.h2.send_data(at, b"", end_stream=True)
                return
            status, text = exchange.headers.get("x-status", "0"), exchange.headers.get("x-message", "")
            self.h2.send_headers(
                at, [*self._headers(), ("grpc-status", status), ("grpc-message", quote(text))], end_stream=True
            )

    def _send_data(self, at: int, exchange: Exchange) -> None:
        room = min(self.h2.local_flow_control_window(at), self.h2.max_outbound_frame_size)
        padding = self.chance.choice(self.profile.paddings)
        room -= 0 if padding is None else padding + 1
        if room <= 0:
            return
        size = min(room, self.chance.choice(self.profile.sizes))
        self.h2.send_data(at, exchange.reply[:size], pad_length=padding)
        exchange.reply = exchange.reply[size:]

    def _headers(self) -> list[tuple[str, str]]:
        """Headers that enter the table, some of which are in it."""
        if self.chance.random() < self.profile.fresh:
            return [("x-fresh", self.chance.randbytes(8).hex())]
        sizes = (0, 1, 50, 500)[: self.profile.variety]
        return [
            (f"x-{self.chance.randrange(self.profile.variety)}", "v" * self.chance.choice(sizes))
            for _ in range(self.chance.randrange(4))
        ]

    def flush(self) -> None:
        """Send what h2 has prepared, with its header blocks in other forms."""
        data = self.h2.data_to_send()
        at = 0
        out: list[bytes] = []
        while at < len(data):
            high, low, kind, flags, stream = struct.unpack_from(">HBBBL", data, at)
            end = at + 9 + (high << 8 | low)
            payload = data[at + 9 : end]
            if kind == _HEADERS:
                out.extend(self._split(flags, stream, payload))
            else:
                out.append(data[at:end])
            at = end
        self.transport.write(b"".join(out))

    def _split(self, flags: int, stream: int, block: bytes) -> Iterator[bytes]:
        """Spread a header block over HEADERS and CONTINUATION frames, with padding and priority or without."""
        cuts = sorted(self.chance.randint(0, len(block)) for _ in range(self.chance.choice((0, 0, 1, 3, 10))))
        parts = [block[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(block)], strict=True)]
        kept = flags & _END_STREAM
        first = parts[0]
        if self.chance.random() < 0.3:
            kept |= _PRIORITY
            first = struct.pack(">IB", 0, 16) + first
        if self.chance.random() < 0.3:
            kept |= _PADDED
            size = self.chance.randrange(256)
            first = bytes((size,)) + first + bytes(size)
        yield _frame(_HEADERS, kept | (0 if cuts else _END_HEADERS), stream, first)
        for number, part in enumerate(parts[1:], 2):
            yield _frame(_CONTINUATION, _END_HEADERS if number == len(parts) else 0, stream, part)


def digest(body: bytes, metadata: Mapping[str, str]) -> str:
    """A digest of a request, which the client sends as `x-request-id`."""
    return hashlib.sha256(json.dumps(sorted(metadata.items())).encode() + body).hexdigest()


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    size = len(payload)
    return struct.pack(">HBBBL", size >> 8, size & 0xFF, kind, flags, stream) + payload


def _message(data: bytes, flag: int = 0) -> bytes:
    return struct.pack(">BI", flag, len(data)) + data


@asynccontextmanager
async def fuzzing_server(seed: int) -> AsyncGenerator[tuple[str, list[FuzzingPeer], list[str]], None]:
    """A server whose behavior a seed chooses. Gives its endpoint, its connections, and what clients did wrong."""
    peers: list[FuzzingPeer] = []
    violations: list[str] = []

    def connection() -> FuzzingPeer:
        number = len(peers)
        peers.append(
            FuzzingPeer(random.Random(f"{seed}/{number}"), PROFILES[(seed + number) % len(PROFILES)], violations)
        )
        return peers[-1]

    server = await asyncio.get_running_loop().create_server(connection, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", peers, violations
    finally:
        server.close()
        for peer in peers:
            peer.transport.abort()
        tasks = [peer.task for peer in peers]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
