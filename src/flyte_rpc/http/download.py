"""Downloads to files: complete or not at all, and resumed after a broken connection."""

from __future__ import annotations

import logging
import os
import re
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, NamedTuple

from .errors import HttpError, HttpStatusError, HttpTimeoutError
from .retry_after import retry_pause
from .streaming import StreamedReply, StreamingClient
from .transfer import Transfer

_log = logging.getLogger("flyte_rpc")

_STARTS = 4
"""How often a download starts from the first byte again, because the file has changed or cannot be resumed."""

_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
_NAME_BYTES = 180

Report = Callable[[int, int | None], object]
"""Called with the bytes that are there and, if known, those of the whole file."""


def download(
    client: StreamingClient, url: str, target: Path, transfer: Transfer, *, timeout: float, report: Report
) -> None:
    """Download a URL to a file.

    The content gets a temporary name beside the target, and the name of the target once it is complete. A download that
    breaks continues where it broke if the server can say whether the file is still the same; else it starts again.

    Args:
        client: Sends the requests.
        url: What to download.
        target: The file. An existing one is replaced.
        transfer: Cancels the download.
        timeout: Gives up after this many seconds without new data, retries included.
        report: Receives the progress.

    Raises:
        HttpStatusError: The server refuses.
        HttpTimeoutError: There is no new data for `timeout` seconds.
        HttpError: The server cannot be read.
        OSError: The file cannot be written.
        TransferCancelledError: The transfer was cancelled.
    """
    part = target.with_name(f".{_shortened(target.name)}.{secrets.token_hex(6)}.part")
    try:
        with part.open("xb") as file:
            _Download(client, url, file, transfer, timeout, report).run()
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


def _shortened(name: str) -> str:
    return os.fsdecode(os.fsencode(name)[:_NAME_BYTES])


class _Version(NamedTuple):
    """What tells whether a file is still the same: a header of the reply and its value."""

    header: str
    value: str


class _Download:
    def __init__(
        self, client: StreamingClient, url: str, file: BinaryIO, transfer: Transfer, timeout: float, report: Report
    ) -> None:
        self._client = client
        self._url = url
        self._file = file
        self._transfer = transfer
        self._timeout = timeout
        self._report = report
        self._size = 0
        self._total: int | None = None
        self._version: _Version | None = None
        self._starts = 0
        self._failures = 0
        self._data_at = time.monotonic()

    def run(self) -> None:
        while True:
            try:
                self._attempt()
                return
            except HttpError as error:
                if not error.transient:
                    raise
                self._pause(error)

    def _attempt(self) -> None:
        version = self._version if self._size else None
        headers = {} if version is None else {"range": f"bytes={self._size}-", "if-range": version.value}
        try:
            with self._client.get(self._url, self._transfer, headers=headers) as reply:
                if version is not None and reply.status == 206:
                    self._check_range(reply, version)
                else:
                    self._start(reply)
                self._copy(reply)
        except HttpStatusError as error:
            if error.status != 416 or version is None:
                raise
            # The file has become shorter.
            self._version = None
            raise HttpError(str(error), transient=True) from None

    def _check_range(self, reply: StreamedReply, version: _Version) -> None:
        """Check that the reply is the rest of the same file."""
        found = _CONTENT_RANGE.fullmatch(reply.headers.get("content-range", ""))
        start, total = (int(found[1]), found[3]) if found else (-1, "")
        known = total if self._total is None else str(self._total)
        same = reply.headers.get(version.header, version.value) == version.value
        if start != self._size or total not in (known, "*") or not same:
            self._version = None
            raise HttpError(f"{reply.where} answers with another part of the file than requested", transient=True)
        if total != "*":
            self._total = int(total)

    def _start(self, reply: StreamedReply) -> None:
        """Begin with the first byte."""
        if reply.status != 200:
            raise HttpError(f"{reply.where} answers with a part of the file that was not requested")
        if reply.length is None and not reply.is_chunked:
            raise HttpError(
                f"{reply.where} announces neither a length nor chunks, so that a broken download looks complete; "
                "read the file with File.open()"
            )
        self._starts += 1
        if self._starts > _STARTS:
            raise HttpError(f"{reply.where} broke {_STARTS} times, and the download cannot be resumed")
        self._file.seek(0)
        self._file.truncate()
        self._size = 0
        self._total = reply.length
        self._version = _version(reply)

    def _copy(self, reply: StreamedReply) -> None:
        self._report(self._size, self._total)
        for chunk in reply.chunks():
            self._file.write(chunk)
            self._size += len(chunk)
            self._data_at, self._failures = time.monotonic(), 0
            self._report(self._size, self._total)
        if self._total is not None and self._size != self._total:
            raise HttpError(f"{reply.where} sent {self._size} bytes of {self._total}", transient=True)

    def _pause(self, error: HttpError) -> None:
        """Wait before the next attempt, or raise if there is no time for one."""
        self._failures += 1
        waited = time.monotonic() - self._data_at
        left = self._timeout - waited
        asked = error.retry_after if isinstance(error, HttpStatusError) else None
        pause = retry_pause(self._failures, left)
        pause = None if pause is None else max(pause, asked or 0.0)
        if pause is None or pause >= left:
            count = "1 attempt" if self._failures == 1 else f"{self._failures} attempts"
            ask = "" if asked is None else f" and asks to wait {asked:g} s"
            raise HttpTimeoutError(f"{error}{ask}; no new data for {waited:.1f} s ({count}); pass a longer timeout=")
        _log.warning("%s; retrying in %.1f s", error, pause)
        self._transfer.wait(pause)


def _version(reply: StreamedReply) -> _Version | None:
    """What a request for the rest of the file can refer to; None if there is nothing reliable."""
    if reply.headers.get("accept-ranges", "").strip().lower() == "none":
        return None
    for header in ("etag", "last-modified"):
        value = reply.headers.get(header, "")
        # A weak ETag stands for several contents.
        if value and not value.startswith("W/"):
            return _Version(header, value)
    return None
