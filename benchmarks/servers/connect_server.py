"""A server of canned answers that speaks Connect over HTTP/1.1, as the reference SDK does to plain `http` endpoints."""

from __future__ import annotations

import asyncio
import gzip
import struct

import canned
from serving import serve

END = b"\x02\x00\x00\x00\x02{}"
UNARY = b"HTTP/1.1 200 OK\r\ncontent-type: application/proto\r\ncontent-length: %d\r\n\r\n"
STREAM = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/connect+proto\r\ntransfer-encoding: chunked\r\n\r\n"
    b"%x\r\n%b\r\n0\r\n\r\n"
)


class Exchange(asyncio.Protocol):
    """One connection; requests come one after another."""

    def __init__(self) -> None:
        self.received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += data
        while (request := self._request()) is not None:
            self.transport.write(_answer(*request))

    def _request(self) -> tuple[str, dict[str, str], bytes] | None:
        """The next request that is here in full."""
        head, found, rest = self.received.partition(b"\r\n\r\n")
        if not found:
            return None
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if "content-length" in headers:
            size = int(headers["content-length"])
            if len(rest) < size:
                return None
            body, self.received = rest[:size], rest[size:]
        else:
            body = b""
            while True:
                size_text, found, rest = rest.partition(b"\r\n")
                size = int(size_text or b"0", 16)
                if not found or len(rest) < size + 2:
                    return None
                body, rest = body + rest[:size], rest[size + 2 :]
                if not size:
                    break
            self.received = rest
        return first.split(" ")[1], headers, body


def _answer(path: str, headers: dict[str, str], body: bytes) -> bytes:
    if path not in canned.STREAMED:
        request = gzip.decompress(body) if headers.get("content-encoding") == "gzip" else body
        (message,) = canned.ANSWERS[path](request)
        return UNARY % len(message) + message
    request = gzip.decompress(body[5:]) if body[0] & 1 else body[5:]
    messages = canned.ANSWERS[path](request)
    sent = b"".join(struct.pack(">BI", 0, len(message)) + message for message in messages) + END
    return STREAM % (len(sent), sent)


if __name__ == "__main__":
    serve(Exchange)
