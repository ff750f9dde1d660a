"""Uploads local files for tasks, through links that the control plane signs."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar
from urllib.parse import unquote

from flyte._client import resolve_client
from flyte._routing import Operation, route
from flyte.errors import DeadlineExceededError, RuntimeSystemError, UploadTimeoutError
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
from flyte_rpc.http.errors import HttpError, HttpStatusError
from flyte_rpc.http.retry_after import retry_pause
from flyte_rpc.http.transfer import Transfer
from flyte_rpc.redaction import redact

from .listing import regular_files, require_regular
from .network import streaming_client
from .progress import Progress, ProgressReporter
from .threads import TransferThreads

T = TypeVar("T")
_log = logging.getLogger("flyte")

_CHUNK = 1 << 18
_REPORTED = 1 << 20
_ANYTHING = "application/octet-stream"
_AT_ONCE = 8
_IDLE = 60.0
# Servers sign links for at most an hour.
_LONGEST_LINK = 3600.0
_SPARE = 300.0
_LEAST = 0.001


class Uploaded(NamedTuple):
    """The URI of an uploaded file or directory, and a hash of its content."""

    uri: str
    digest: str


class _Source(NamedTuple):
    path: Path
    name: str
    """Name in progress reports."""
    size: int
    md5: bytes


class _Link(NamedTuple):
    url: str
    uri: str
    headers: dict[str, str]
    renew_at: float

    def __repr__(self) -> str:
        return f"_Link({redact(self.url)!r})"


class Uploader:
    """Uploads to one project and domain, within one deadline.

    Args:
        client: The client of the control plane. Default: the current client.
        project: Project of the upload. Default: the client's.
        domain: Domain of the upload. Default: the client's.
        timeout: Total seconds.
        path: The file or directory.
        progress: A function that receives the progress, or whether to show a bar. The function is called in the upload
            threads, never concurrently: after each MiB of a file, and at its end. A retry of a file starts from 0.

    Raises:
        InitializationError: There is no client, project or domain.
        TypeError: `progress` is neither a bool nor callable.
        ValueError: The timeout is not positive.
    """

    def __init__(
        self,
        client: Client | None,
        project: str | None,
        domain: str | None,
        timeout: float,
        path: Path,
        *,
        progress: Progress = True,
    ) -> None:
        self._timeout = seconds("timeout", timeout)
        self._client = resolve_client(client)
        self._scope = self._client.scope(project, domain)
        self._start = time.monotonic()
        self._path = path
        self._progress = ProgressReporter(progress, path.name or str(path))
        self._http = streaming_client(self._client, connections=_AT_ONCE)
        self._threads = TransferThreads(_AT_ONCE)

    def __enter__(self) -> Uploader:
        return self

    def __exit__(self, *error: object) -> None:
        self._threads.__exit__(*error)
        self._progress.__exit__(*error)
        self._http.close()

    async def file(self, name: str = "", content_type: str = _ANYTHING) -> Uploaded:
        """Upload one file under its own name or the given one. The same content gets the same URI."""
        path = self._path
        if path.is_dir():
            raise IsADirectoryError(f"{path} is a directory; use Dir.from_local or upload_dir")
        require_regular(path)
        source = await self._in_thread(path, lambda transfer: _read(path, path.name, transfer))
        self._progress.expect(source.size)
        return Uploaded(await self._put(source, name or path.name, "", content_type), source.md5.hex())

    async def directory(self, prefix: str = "") -> Uploaded:
        """Upload all files below a directory to the given place, or to one derived from its content."""
        root = self._path
        names = await self._in_thread(root, lambda transfer: regular_files(root))
        slots = asyncio.Semaphore(_AT_ONCE)

        async def read(name: str) -> _Source:
            async with slots:
                return await self._in_thread(root / name, lambda transfer: _read(root / name, name, transfer))

        sources = await gather(read(name) for name in names)
        self._progress.expect(sum(source.size for source in sources))
        digest = hashlib.sha256()
        for name, source in zip(names, sources, strict=True):
            digest.update(name.encode() + b"\0" + source.md5)
        # The place depends on the content, so existing files there are identical.
        place, _, below = (prefix or digest.hexdigest()[:32]).partition("/")

        async def put(source: _Source) -> str:
            # Servers take the directory for one name, and escape its slashes. Those of a file name stay.
            name = f"{below}/{source.name}" if below else source.name
            async with slots:
                return _above(await self._put(source, name, place, _ANYTHING), name)

        above = await gather(put(source) for source in sources)
        if len({*above}) != 1:
            raise RuntimeSystemError(
                f"the storage put the files of {root} into different directories", code="UploadFailed"
            )
        return Uploaded(f"{above[0]}/{below}" if below else above[0], digest.hexdigest()[:32])

    async def _in_thread(self, path: Path, work: Callable[[Transfer], T]) -> T:
        left = self._left()
        try:
            return await self._threads.run(work, idle=max(min(left, _IDLE), _LEAST), timeout=max(left, 0))
        except OSError as error:
            # A file system may time out as well.
            if isinstance(error, TimeoutError) and not isinstance(error, HttpError) and self._left() <= 0:
                raise self._late(path) from None
            raise

    def _late(self, path: Path, attempts: int = 0, reason: str = "") -> UploadTimeoutError:
        elapsed = time.monotonic() - self._start
        return UploadTimeoutError(str(path), timeout=self._timeout, elapsed=elapsed, attempts=attempts, reason=reason)

    async def _sign(self, source: _Source, name: str, directory: str, content_type: str) -> _Link:
        """Ask the control plane for a link."""
        left = self._left()
        if left <= 0:
            raise self._late(source.path)
        lifetime = min(left + _SPARE, _LONGEST_LINK)
        request = CreateUploadLocationRequest(
            org=self._scope.org,
            project=self._scope.project or "",
            domain=self._scope.domain or "",
            filename=name,
            filename_root=directory,
            content_md5=source.md5,
            content_length=source.size,
            add_content_md5_metadata=True,
            expires_in=Duration.of(timedelta(seconds=lifetime)),
        )
        project = ProjectIdentifier(organization=request.org, domain=request.domain, name=request.project)
        rpc = DataProxyService.CREATE_UPLOAD_LOCATION
        renew_at = time.monotonic() + lifetime - _SPARE / 2
        try:
            async with asyncio.timeout(left):
                client = await route(self._client, Operation.CREATE_UPLOAD_LOCATION, project)
            left = max(self._left(), _LEAST)
            place = await call_path.unary(client, rpc, request, timeout=min(left, self._client.timeout))
        except TimeoutError as error:
            if isinstance(error, DeadlineExceededError) and left >= self._client.timeout:
                raise
            raise self._late(source.path) from None
        return _Link(place.signed_url, place.native_url, _headers(place, source, content_type), renew_at)

    async def _put(self, source: _Source, name: str, directory: str, content_type: str) -> str:
        """Upload a file, in as many attempts as there is time for. Return its URI."""
        link = await self._sign(source, name, directory, content_type)
        attempts = 0
        reason = ""
        while True:
            attempts += 1
            try:
                await self._in_thread(source.path, partial(self._send, source, link))
                return link.uri
            except UploadTimeoutError:
                raise self._late(source.path, attempts, reason) from None
            except HttpError as error:
                if not error.transient:
                    message = f"{source.path} could not be uploaded: {error}"
                    raise RuntimeSystemError(message, code="UploadFailed") from None
                reason = str(error)
                asked = error.retry_after if isinstance(error, HttpStatusError) else None
            pause = retry_pause(attempts, self._left()) if asked is None else asked
            if pause is None or pause >= self._left():
                wait = "" if asked is None else f"; the storage asks to wait {asked:g} s"
                raise self._late(source.path, attempts, reason + wait)
            _log.warning("%s: %s; retrying in %.1f s", source.path, reason, pause)
            await asyncio.sleep(pause)
            if time.monotonic() >= link.renew_at:
                link = await self._sign(source, name, directory, content_type)

    def _send(self, source: _Source, link: _Link, transfer: Transfer) -> None:
        """Send the file once."""
        self._http.put(link.url, self._body(source, transfer), source.size, transfer, headers=link.headers)

    def _body(self, source: _Source, transfer: Transfer) -> Iterator[bytes]:
        """Read a file, and report the progress. What was yielded is sent when the next piece is requested."""
        sent = reported = 0
        for chunk in _chunks(source.path, transfer, source.size):
            if sent - reported >= _REPORTED:
                reported = sent
                self._progress.report(sent, source.size, source.name)
            yield chunk
            sent += len(chunk)
        if sent != source.size:
            raise OSError(f"{source.path} became shorter during the upload")
        self._progress.report(sent, source.size, source.name)

    def _left(self) -> float:
        """Seconds until the deadline."""
        return self._start + self._timeout - time.monotonic()


def _chunks(path: Path, transfer: Transfer, limit: int | None = None) -> Iterator[bytes]:
    with path.open("rb") as file:
        while limit is None or limit > 0:
            transfer.check()
            chunk = file.read(_CHUNK if limit is None else min(_CHUNK, limit))
            if not chunk:
                return
            limit = None if limit is None else limit - len(chunk)
            yield chunk


def _read(path: Path, name: str, transfer: Transfer) -> _Source:
    digest, size = hashlib.md5(usedforsecurity=False), 0
    for chunk in _chunks(path, transfer):
        digest.update(chunk)
        size += len(chunk)
    return _Source(path, name, size, digest.digest())


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
    headers = {
        "content-md5": base64.b64encode(source.md5).decode(),
        "content-type": content_type,
    }
    if place.native_url.startswith("abfs"):
        headers["x-ms-blob-type"] = "BlockBlob"
    return {**headers, **{name.lower(): value for name, value in place.headers.items()}}
