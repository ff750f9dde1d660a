"""Signed links: plain HTTP on loopback for uploads to the storage and downloads from it."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import os
import re
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

import h11
from attrs import frozen

from .blobs import Blobs

_log = logging.getLogger("flyte.devbox")

_CHUNK = 1 << 16
_HEAD_TIMEOUT = 30.0
_BODY_TIMEOUT = 300.0
_MAX_BODY = 1 << 30
_HEADER_BYTES = 1 << 16
_LINGER = 1.0
_LINGER_CHUNKS = 64
_HEADERS = (
    ("Connection", "close"),
    ("Content-Type", "application/octet-stream"),
    ("X-Content-Type-Options", "nosniff"),
)
_REASONS = {200: b"OK", 206: b"Partial Content"}
_RANGE = re.compile(r"bytes=(\d{1,18})-")
"""From a byte to the end. Servers may ignore other ranges, and then send the whole file."""


class _HttpError(Exception):
    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


@frozen
class _Request:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]


class Links:
    """Creates and serves links. A link allows one method on one file for a limited time, without other credentials."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._key = secrets.token_bytes(32)
        self._server: asyncio.Server | None = None
        self._port = 0

    async def start(self) -> None:
        """Listen on a free port of the loopback interface."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()

    def make(self, method: str, uri: str, expires_at: int, md5: str = "") -> str:
        """Create a link to a file in the storage.

        Args:
            method: GET or PUT.
            uri: The file.
            expires_at: Seconds since the epoch.
            md5: Hexadecimal digest that an upload must have; empty for any content.
        """
        path = str(self._blobs.path(uri))
        query = {"expires": str(expires_at), "md5": md5, "signature": self._sign(method, path, str(expires_at), md5)}
        return f"http://127.0.0.1:{self._port}{quote(path)}?{urlencode(query)}"

    def _sign(self, *parts: str) -> str:
        return hmac.new(self._key, "\n".join(parts).encode(), hashlib.sha256).hexdigest()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        http = _Http(reader, writer)
        try:
            await self._answer(http)
        except _HttpError as error:
            with suppress(ConnectionError):
                await http.respond(error.status, error.reason.encode())
        except (ConnectionError, TimeoutError):
            # The client disconnected, or has stopped sending or reading, so there is nobody to report to.
            pass
        except OSError as error:
            _log.warning("a link could not be served: %s", error)
            with suppress(ConnectionError):
                await http.respond(500, b"the file cannot be read or written")
        finally:
            await http.finish()
            writer.close()

    async def _answer(self, http: _Http) -> None:
        request = await asyncio.wait_for(http.request(), _HEAD_TIMEOUT)
        method = "GET" if request.method == "HEAD" else request.method
        self._check(method, request)
        path = Path(request.path)
        root = self._blobs.root
        if path.is_relative_to(root) and not path.resolve().is_relative_to(root):
            raise _HttpError(403, "the link leads out of the storage")
        if method == "PUT":
            await asyncio.wait_for(self._take(request, path, http), _BODY_TIMEOUT)
        elif not path.is_file():
            raise _HttpError(404, "the file does not exist")
        else:
            await asyncio.wait_for(_give(request, path, http), _BODY_TIMEOUT)

    def _check(self, method: str, request: _Request) -> None:
        expires, md5 = request.query.get("expires", ""), request.query.get("md5", "")
        signature = request.query.get("signature", "")
        if method not in ("GET", "PUT"):
            raise _HttpError(405, "links are for GET and PUT")
        if not hmac.compare_digest(signature.encode(), self._sign(method, request.path, expires, md5).encode()):
            raise _HttpError(403, "the signature of this link is not valid for this method and file")
        if int(expires) < time.time():
            raise _HttpError(403, "this link has expired")

    async def _take(self, request: _Request, path: Path, http: _Http) -> None:
        """Store an upload completely or not at all."""
        if "content-length" not in request.headers:
            raise _HttpError(411, "Content-Length is required")
        if int(request.headers["content-length"]) > _MAX_BODY:
            raise _HttpError(413, f"at most {_MAX_BODY} bytes can be uploaded")
        digest = hashlib.md5(usedforsecurity=False)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name[:200]}.{secrets.token_hex(8)}.part")
        try:
            with part.open("wb") as stream:
                async for data in http.body():
                    digest.update(data)
                    stream.write(data)
            if request.query.get("md5") not in ("", digest.hexdigest()):
                raise _HttpError(400, "the content does not match the announced MD5 digest")
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
        await http.respond(200, b"")


class _Http:
    """One connection, which carries one request."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=_HEADER_BYTES)
        self._head = False

    async def request(self) -> _Request:
        """Read the head of the request."""
        event = await self._next()
        if not isinstance(event, h11.Request):
            raise ConnectionResetError
        try:
            parts = urlsplit(event.target.decode("ascii"))
            query = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        except ValueError:
            raise _HttpError(400, "the address is malformed") from None
        self._head = event.method == b"HEAD"
        headers = {name.decode("ascii"): value.decode("latin-1") for name, value in event.headers}
        return _Request(event.method.decode("ascii"), unquote(parts.path), query, headers)

    async def body(self) -> AsyncIterator[bytes]:
        """Read the body of the request."""
        if self._http.they_are_waiting_for_100_continue:
            self._writer.write(self._http.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")
        while isinstance(event := await self._next(), h11.Data):
            yield bytes(event.data)
        if not isinstance(event, h11.EndOfMessage):
            raise ConnectionResetError

    async def start(self, status: int, length: int, *headers: tuple[str, str]) -> None:
        """Send the head of the reply."""
        if self._http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            raise ConnectionResetError
        every = [*_HEADERS, ("Content-Length", str(length)), *headers]
        await self._send(h11.Response(status_code=status, headers=every, reason=_REASONS.get(status, b"Refused")))

    async def send(self, data: bytes) -> None:
        """Send a part of the reply's body, as fast as the client reads."""
        await self._send(h11.Data(data=data))

    async def respond(self, status: int, body: bytes) -> None:
        """Send a whole reply."""
        await self.start(status, len(body))
        if body and not self._head:
            await self.send(body)

    async def finish(self) -> None:
        """Read what the client still sends. Closing at once would keep it from reading the reply."""
        with suppress(ConnectionError, OSError, TimeoutError):
            self._writer.write_eof()
            async with asyncio.timeout(_LINGER):
                for _ in range(_LINGER_CHUNKS):
                    if not await self._reader.read(_CHUNK):
                        break

    async def _next(self) -> object:
        while True:
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError as error:
                raise _HttpError(error.error_status_hint, f"this is not a valid HTTP request: {error}") from None
            if event is not h11.NEED_DATA:
                return event
            self._http.receive_data(await self._reader.read(_CHUNK))

    async def _send(self, event: h11.Event) -> None:
        self._writer.write(self._http.send(event) or b"")
        await self._writer.drain()


async def _give(request: _Request, path: Path, http: _Http) -> None:
    """Send a file, or its rest from the requested byte on."""
    with path.open("rb") as stream:
        state = os.fstat(stream.fileno())
        size, version = state.st_size, f'"{state.st_mtime_ns:x}-{state.st_size:x}"'
        headers = [("Accept-Ranges", "bytes"), ("ETag", version)]
        asked = _RANGE.fullmatch(request.headers.get("range", ""))
        start = 0
        if asked and request.headers.get("if-range", version) == version:
            start = int(asked[1])
            if start >= size:
                raise _HttpError(416, f"the file has {size} bytes")
            rest = f"bytes {start}-{size - 1}/{size}"
            await http.start(206, size - start, *headers, ("Content-Range", rest))
        else:
            await http.start(200, size, *headers)
        if request.method == "GET":
            stream.seek(start)
            left = size - start
            while data := stream.read(min(_CHUNK, left)):
                left -= len(data)
                await http.send(data)
