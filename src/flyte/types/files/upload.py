"""Uploads local files for tasks, through links that the control plane signs."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import http.client
import os
import stat
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import unquote, urlsplit

from flyte._client import resolve_client
from flyte._routing import Operation, route
from flyte.errors import DeadlineExceededError, RuntimeSystemError, WaitTimeoutError
from flyte_api.messages.flyteidl2.common.identifier import ProjectIdentifier
from flyte_api.messages.flyteidl2.dataproxy.dataproxy_service import (
    CreateUploadLocationRequest,
    CreateUploadLocationResponse,
)
from flyte_api.messages.google.protobuf.duration import Duration
from flyte_api.services.flyteidl2.dataproxy.data_proxy_service import DataProxyService
from flyte_rpc.arguments import seconds
from flyte_rpc.calls import call_path
from flyte_rpc.calls.client import Client
from flyte_rpc.gather import gather
from flyte_rpc.redaction import redact

T = TypeVar("T")
_CHUNK = 1 << 20
_ANYTHING = "application/octet-stream"
_AT_ONCE = 8
_ATTEMPTS = 4
_FIRST_PAUSE = 0.5
# Socket timeout. A thread that waits for the storage cannot be interrupted, and would keep the process alive.
_IDLE = 60.0
# Servers sign links for at most an hour.
_LONGEST_LINK = 3600.0
_SPARE = 300.0
_LEAST = 0.001
_PASSING = (408, 429, 500, 502, 503, 504)
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Uploaded(NamedTuple):
    """The URI of an uploaded file or directory, and a hash of its content."""

    uri: str
    digest: str


class _Source(NamedTuple):
    path: Path
    size: int
    md5: bytes


Progress = Callable[[Path, int, int], object]
"""Called with the file, the bytes sent, and its total size."""


class _Interrupted(Exception):
    """An upload was cancelled while reading the file. Not an OSError, so that urllib does not wrap it."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__(str(error or ""))
        self.error = error


class Uploader:
    """Uploads to one project and domain, within one deadline.

    Args:
        client: The client of the control plane. Default: the current client.
        project: Project of the upload. Default: the client's.
        domain: Domain of the upload. Default: the client's.
        timeout: Total seconds.
        progress: Called in the upload threads, never concurrently: after each MiB of a file, and at its end. A retry of a
            file starts from 0. Default: none.

    Raises:
        InitializationError: There is no client, project or domain.
        ValueError: The timeout is not positive.
    """

    def __init__(
        self,
        client: Client | None,
        project: str | None,
        domain: str | None,
        timeout: float,
        *,
        progress: Progress | None = None,
    ) -> None:
        self._timeout = seconds("timeout", timeout)
        self._client = resolve_client(client)
        self._scope = self._client.scope(project, domain)
        self._deadline = time.monotonic() + self._timeout
        self._stopped = threading.Event()
        self._progress = progress
        self._telling = threading.Lock()
        # Not the loop's default executor, which may have fewer threads and is shared with others.
        self._threads = ThreadPoolExecutor(_AT_ONCE, "flyte-upload")

    def __enter__(self) -> Uploader:
        return self

    def __exit__(self, *error: object) -> None:
        self._stopped.set()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def file(self, path: Path, name: str = "", content_type: str = _ANYTHING) -> Uploaded:
        """Upload one file under its own name or the given one. The same content gets the same URI."""
        if path.is_dir():
            raise IsADirectoryError(f"{path} is a directory; use Dir.from_local or upload_dir")
        source = await self._in_thread(path, lambda: self._read(path))
        return Uploaded(await self._put(source, name or path.name, "", content_type), source.md5.hex())

    async def directory(self, root: Path, prefix: str = "") -> Uploaded:
        """Upload all files below a directory to the given place, or to one derived from its content."""
        found = await self._in_thread(root, lambda: _files(root))
        turn = asyncio.Semaphore(_AT_ONCE)

        async def read(name: str) -> _Source:
            async with turn:
                return await self._in_thread(root / name, lambda: self._read(root / name))

        sources = await gather(read(name) for name in found)
        digest = hashlib.sha256()
        for name, source in zip(found, sources, strict=True):
            digest.update(name.encode() + b"\0" + source.md5)
        # The place depends on the content, so existing files there are identical.
        place = prefix or digest.hexdigest()[:32]

        async def put(name: str, source: _Source) -> str:
            async with turn:
                return _above(await self._put(source, name, place, _ANYTHING), name)

        above = await gather(put(name, source) for name, source in zip(found, sources, strict=True))
        if len({*above}) != 1:
            raise RuntimeSystemError(
                f"the storage put the files of {root} into different directories", code="UploadFailed"
            )
        return Uploaded(above[0], digest.hexdigest()[:32])

    async def _in_thread(self, path: Path, work: Callable[[], T]) -> T:
        """Return the result of `work`. A thread cannot be cancelled, but checks whether it was."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except _Interrupted as interrupted:
            if interrupted.error is not None:
                raise interrupted.error from None
            raise self._late(path) from None

    def _late(self, path: Path) -> WaitTimeoutError:
        return WaitTimeoutError(f"{path} was not uploaded within {self._timeout:g} seconds; pass a longer timeout=")

    def _read(self, path: Path) -> _Source:
        digest, size = hashlib.md5(usedforsecurity=False), 0
        with _Body(path, self) as body:
            while chunk := body.read(_CHUNK):
                digest.update(chunk)
                size += len(chunk)
        return _Source(path, size, digest.digest())

    async def _put(self, source: _Source, name: str, directory: str, content_type: str) -> str:
        """Upload a file. Return its URI."""
        left = self.left()
        if left <= 0:
            raise self._late(source.path)
        request = CreateUploadLocationRequest(
            org=self._scope.org,
            project=self._scope.project or "",
            domain=self._scope.domain or "",
            filename=name,
            filename_root=directory,
            content_md5=source.md5,
            content_length=source.size,
            add_content_md5_metadata=True,
            expires_in=Duration.of(timedelta(seconds=min(left + _SPARE, _LONGEST_LINK))),
        )
        project = ProjectIdentifier(organization=request.org, domain=request.domain, name=request.project)
        rpc = DataProxyService.CREATE_UPLOAD_LOCATION
        try:
            async with asyncio.timeout(left):
                client = await route(self._client, Operation.CREATE_UPLOAD_LOCATION, project)
            left = max(self.left(), _LEAST)
            place = await call_path.unary(client, rpc, request, timeout=min(left, self._client.timeout))
        except TimeoutError as error:
            if isinstance(error, DeadlineExceededError) and left >= self._client.timeout:
                raise
            raise self._late(source.path) from None
        headers = _headers(place, source, content_type)
        attempt = 0
        while True:
            trouble = await self._in_thread(source.path, lambda: self._send(source, place.signed_url, headers))
            if not trouble:
                return place.native_url
            pause = _FIRST_PAUSE * 2**attempt
            attempt += 1
            if attempt == _ATTEMPTS or self.left() <= pause:
                raise RuntimeSystemError(f"{source.path} could not be uploaded: {trouble}", code="UploadFailed")
            await asyncio.sleep(pause)

    def _send(self, source: _Source, url: str, headers: dict[str, str]) -> str:
        """Send the file once. Return the error if it may be temporary, and nothing on success.

        Raises:
            RuntimeSystemError: The storage refuses it.
        """
        where = redact(url.partition("?")[0])
        try:
            with _Body(source.path, self, source.size) as body:
                request = urllib.request.Request(url, data=body, headers=headers, method="PUT")
                _opener(url).open(request, timeout=max(min(self.left(), _IDLE), _LEAST)).close()
        except urllib.error.HTTPError as error:
            with error:
                said = error.read(500).decode(errors="replace")
            text = redact(f"{where} answered {error.code} {error.reason}: {said}".rstrip(": "))
            # S3's error for a connection that was idle for too long.
            if error.code in _PASSING or "RequestTimeout" in said:
                return text
            raise RuntimeSystemError(f"{source.path} could not be uploaded: {text}", code="UploadFailed") from None
        except (OSError, http.client.HTTPException) as error:
            if not self.go_on():
                raise _Interrupted from None
            return redact(f"{where} cannot be reached: {getattr(error, 'reason', error)}")
        except ValueError as error:
            text = f"the server returned an invalid link: {redact(str(error))}"
            raise RuntimeSystemError(text, code="UploadFailed") from None
        return ""

    def tell(self, path: Path, sent: int, size: int) -> None:
        """Report the progress of a file. An exception in the callback ends the upload."""
        if self._progress is not None:
            with self._telling:
                try:
                    self._progress(path, sent, size)
                except Exception as error:
                    raise _Interrupted(error) from None

    def left(self) -> float:
        """Seconds until the deadline."""
        return self._deadline - time.monotonic()

    def go_on(self) -> bool:
        """Whether the upload should continue: before the deadline, and not cancelled."""
        return self.left() > 0 and not self._stopped.is_set()


class _Body:
    """A file object that stops when the upload is cancelled, and reports progress if the size is known."""

    def __init__(self, path: Path, uploader: Uploader, size: int | None = None) -> None:
        try:
            self._file = path.open("rb")
        except OSError as error:
            raise _Interrupted(error) from None
        self._uploader = uploader
        self._path = path
        self._size = size
        self._read = self._told = 0

    def __enter__(self) -> _Body:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def read(self, size: int = -1) -> bytes:
        if not self._uploader.go_on():
            raise _Interrupted
        try:
            chunk = self._file.read(size)
        except OSError as error:
            raise _Interrupted(error) from None
        # A reader that requests more has sent the previous part.
        if self._size is not None and (not chunk or self._read - self._told >= _CHUNK):
            self._told = self._read
            self._uploader.tell(self._path, self._read, self._size)
        self._read += len(chunk)
        return chunk


def _files(root: Path) -> list[str]:
    """Return the names of all files below a directory, sorted and separated by slashes."""
    if not root.is_dir():
        raise NotADirectoryError(
            f"{root} is not a directory" + ("; use File.from_local or upload_file" if root.exists() else "")
        )
    found: list[str] = []

    def unlisted(error: OSError) -> None:
        raise error

    for directory, inner, names in os.walk(root, onerror=unlisted):
        for name in inner:
            if Path(directory, name).is_symlink():
                raise ValueError(f"{Path(directory, name)} is a link to a directory; replace it with a copy")
        for name in names:
            path = Path(directory, name)
            if not stat.S_ISREG(path.stat().st_mode):
                raise ValueError(f"{path} is not a file that can be uploaded")
            try:
                name.encode()
            except UnicodeEncodeError:
                raise ValueError(f"{os.fsencode(path)!r} has a name that is not UTF-8") from None
            found.append(path.relative_to(root).as_posix())
    if not found:
        raise ValueError(f"{root} contains no files to upload")
    return sorted(found)


def _above(uri: str, name: str) -> str:
    """Return the URI of the directory that contains a file under its relative name."""
    wanted = name.split("/")
    parts = uri.split("/")
    stored = parts[-len(wanted) :]
    if len(stored) != len(wanted) or any(b not in (a, unquote(a)) for a, b in zip(stored, wanted, strict=True)):
        raise RuntimeSystemError(
            f"the storage stored {name!r} as {uri}; rename the file, or upload without sub-directories",
            code="UploadFailed",
        )
    return "/".join(parts[: -len(wanted)])


def _headers(place: CreateUploadLocationResponse, source: _Source, content_type: str) -> dict[str, str]:
    """Return the headers that the link was signed for, and those that every storage requires."""
    wanted = {
        "Content-Length": str(source.size),
        "Content-MD5": base64.b64encode(source.md5).decode(),
        "Content-Type": content_type,
    }
    if place.native_url.startswith("abfs"):
        wanted["x-ms-blob-type"] = "BlockBlob"
    given = {name.lower() for name in place.headers}
    return {**{name: value for name, value in wanted.items() if name.lower() not in given}, **place.headers}


def _opener(url: str) -> Any:
    """Return an opener for a link. It ignores proxies from the environment for this machine."""
    here = urlsplit(url).hostname in _LOOPBACK
    return urllib.request.build_opener(*([urllib.request.ProxyHandler({})] if here else []))
