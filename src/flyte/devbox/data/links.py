"""Signed links: plain HTTP on loopback for uploads to the storage and downloads from it."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import re
import secrets
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

from attrs import frozen

from .blobs import Blobs

_CHUNK = 1 << 16
_HEAD_TIMEOUT = 30.0
_BODY_TIMEOUT = 300.0
_MAX_BODY = 1 << 30
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
        try:
            await self._answer(reader, writer)
            await writer.drain()
        except _HttpError as error:
            with suppress(ConnectionError):
                _head(writer, error.status, len(error.reason))
                writer.write(error.reason.encode())
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, TimeoutError):
            # The client disconnected, so there is nobody to report to.
            pass
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _HEAD_TIMEOUT)
        except asyncio.LimitOverrunError:
            raise _HttpError(431, "the request's headers are too long") from None
        request = _parse(head)
        method = "GET" if request.method == "HEAD" else request.method
        self._check(method, request)
        path = Path(request.path)
        if method == "PUT":
            await asyncio.wait_for(self._take(request, path, reader, writer), _BODY_TIMEOUT)
        elif not path.is_file():
            raise _HttpError(404, "the file does not exist")
        else:
            await _give(request, path, writer)

    def _check(self, method: str, request: _Request) -> None:
        expires, md5 = request.query.get("expires", ""), request.query.get("md5", "")
        signature = request.query.get("signature", "")
        if method not in ("GET", "PUT"):
            raise _HttpError(405, "links are for GET and PUT")
        if not hmac.compare_digest(signature.encode(), self._sign(method, request.path, expires, md5).encode()):
            raise _HttpError(403, "the signature of this link is not valid for this method and file")
        if int(expires) < time.time():
            raise _HttpError(403, "this link has expired")

    async def _take(
        self, request: _Request, path: Path, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Store an upload completely or not at all."""
        length = request.headers.get("content-length", "")
        if not length.isdigit():
            raise _HttpError(411, "Content-Length is required")
        if int(length) > _MAX_BODY:
            raise _HttpError(413, f"at most {_MAX_BODY} bytes can be uploaded")
        if request.headers.get("expect", "").lower() == "100-continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        digest = hashlib.md5(usedforsecurity=False)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name[:200]}.{secrets.token_hex(8)}.part")
        try:
            with part.open("wb") as stream:
                left = int(length)
                while left:
                    data = await reader.readexactly(min(left, _CHUNK))
                    left -= len(data)
                    digest.update(data)
                    stream.write(data)
            if request.query.get("md5") not in ("", digest.hexdigest()):
                raise _HttpError(400, "the content does not match the announced MD5 digest")
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
        _head(writer, 200, 0)


def _parse(head: bytes) -> _Request:
    line, *rest = head.decode("latin-1").split("\r\n")
    try:
        method, target, _ = line.split(" ")
    except ValueError:
        raise _HttpError(400, "this is not an HTTP request") from None
    headers = {name.strip().lower(): value.strip() for name, _, value in (item.partition(":") for item in rest)}
    parts = urlsplit(target)
    query = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
    return _Request(method, unquote(parts.path), query, headers)


def _head(writer: asyncio.StreamWriter, status: int, length: int, *headers: str) -> None:
    reason = "OK" if status in (200, 206) else "Refused"
    lines = [
        f"HTTP/1.1 {status} {reason}",
        f"Content-Length: {length}",
        "Connection: close",
        "Content-Type: application/octet-stream",
        "X-Content-Type-Options: nosniff",
        *headers,
    ]
    writer.write("\r\n".join([*lines, "", ""]).encode())


async def _give(request: _Request, path: Path, writer: asyncio.StreamWriter) -> None:
    """Send a file, or its rest from the requested byte on."""
    with path.open("rb") as stream:
        state = os.fstat(stream.fileno())
        size, version = state.st_size, f'"{state.st_mtime_ns:x}-{state.st_size:x}"'
        headers = ["Accept-Ranges: bytes", f"ETag: {version}"]
        asked = _RANGE.fullmatch(request.headers.get("range", ""))
        start = 0
        if asked and request.headers.get("if-range", version) == version:
            start = int(asked[1])
            if start >= size:
                raise _HttpError(416, f"the file has {size} bytes")
            _head(writer, 206, size - start, *headers, f"Content-Range: bytes {start}-{size - 1}/{size}")
        else:
            _head(writer, 200, size, *headers)
        if request.method == "GET":
            stream.seek(start)
            left = size - start
            while data := stream.read(min(_CHUNK, left)):
                left -= len(data)
                writer.write(data)
                await writer.drain()
