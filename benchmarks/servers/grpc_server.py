"""A server of canned answers that speaks gRPC, with no more of HTTP/2 than clients need.

grpc.aio takes longer over a message than clients do, so that it would be what is measured.
"""

from __future__ import annotations

import asyncio
import struct

import canned
from hpack import Decoder
from serving import serve

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM, ACK, END_HEADERS, PADDED, PRIORITY = 1, 1, 4, 8, 32
INITIAL_WINDOW, MAX_FRAME = 4, 16384

# :status 200 and content-type by their numbers in HPACK's static table; a name and a value as they are.
HEAD = b"\x88\x0f\x10\x10application/grpc"
TRAILERS = b"\x00\x0bgrpc-status\x010"


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


class Exchange(asyncio.Protocol):
    """One connection with its calls."""

    def __init__(self) -> None:
        self.received = b""
        self.begun = False
        self.decoder = Decoder()
        self.decoder.max_allowed_table_size = 4096
        self.block = b""
        self.window = self.first_window = 65535
        self.windows: dict[int, int] = {}
        self.paths: dict[int, str] = {}
        self.requests: dict[int, bytes] = {}
        self.unsent: dict[int, bytes] = {}
        self.out: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.out.append(frame(SETTINGS, 0, 0, b""))

    def data_received(self, data: bytes) -> None:
        self.received += data
        if not self.begun:
            if len(self.received) < len(PREFACE):
                return
            if not self.received.startswith(PREFACE):
                raise ConnectionError(f"not HTTP/2: {self.received[:40]!r}")
            self.received, self.begun = self.received[len(PREFACE) :], True
        at = 0
        while len(self.received) >= at + 9:
            size = int.from_bytes(self.received[at : at + 3])
            if len(self.received) < at + 9 + size:
                break
            kind, flags, stream = struct.unpack_from(">BBI", self.received, at + 3)
            self._take(kind, flags, stream, self.received[at + 9 : at + 9 + size])
            at += 9 + size
        self.received = self.received[at:]
        for stream in list(self.unsent):
            self._send(stream)
        if self.out:
            self.transport.write(b"".join(self.out))
            self.out.clear()

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind in (HEADERS, CONTINUATION):
            if flags & PADDED and kind == HEADERS:
                payload = payload[1 : -payload[0]]
            if flags & PRIORITY and kind == HEADERS:
                payload = payload[5:]
            self.block += payload
            if flags & END_HEADERS:
                headers = dict(self.decoder.decode(self.block))
                self.block = b""
                self.paths[stream], self.requests[stream] = headers[":path"], b""
                self.windows[stream] = self.first_window
        elif kind == DATA:
            if flags & PADDED:
                payload = payload[1 : -payload[0]]
            self.requests[stream] += payload
            if payload:
                self.out.append(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", len(payload))))
            if flags & END_STREAM:
                self._answer(stream)
        elif kind == SETTINGS and not flags & ACK:
            for number, value in struct.iter_unpack(">HI", payload):
                if number == INITIAL_WINDOW:
                    self.windows = {one: left + value - self.first_window for one, left in self.windows.items()}
                    self.first_window = value
            self.out.append(frame(SETTINGS, ACK, 0, b""))
        elif kind == PING and not flags & ACK:
            self.out.append(frame(PING, ACK, 0, payload))
        elif kind == WINDOW_UPDATE:
            (more,) = struct.unpack(">I", payload)
            if not stream:
                self.window += more
            elif stream in self.windows:
                self.windows[stream] += more
        elif kind == RST_STREAM:
            for known in (self.windows, self.paths, self.requests, self.unsent):
                known.pop(stream, None)

    def _answer(self, stream: int) -> None:
        """Begin the answer to a call whose request is complete: five bytes of gRPC's, then the message."""
        messages = canned.ANSWERS[self.paths.pop(stream)](self.requests.pop(stream)[5:])
        self.out.append(frame(HEADERS, END_HEADERS, stream, HEAD))
        self.unsent[stream] = b"".join(struct.pack(">BI", 0, len(message)) + message for message in messages)

    def _send(self, stream: int) -> None:
        """Send as much of an answer as the client's windows take."""
        data = self.unsent[stream]
        size = max(0, min(len(data), self.window, self.windows[stream]))
        for at in range(0, size, MAX_FRAME):
            self.out.append(frame(DATA, 0, stream, data[at : min(at + MAX_FRAME, size)]))
        self.window -= size
        self.windows[stream] -= size
        if size < len(data):
            self.unsent[stream] = data[size:]
            return
        del self.unsent[stream], self.windows[stream]
        self.out.append(frame(HEADERS, END_HEADERS | END_STREAM, stream, TRAILERS))


if __name__ == "__main__":
    serve(Exchange)
