"""Files on web servers. Errors are those of files, and do not expose the HTTP library."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from flyte_rpc.calls.client import Client
from flyte_rpc.http.download import download
from flyte_rpc.http.errors import HttpStatusError
from flyte_rpc.http.streaming import StreamedReply, StreamingClient
from flyte_rpc.http.transfer import Transfer

from .network import streaming_client

_KINDS: dict[int, type[OSError]] = {
    401: PermissionError,
    403: PermissionError,
    404: FileNotFoundError,
    410: FileNotFoundError,
}


def open_url(uri: str, timeout: float, client: Client | None = None) -> IO[bytes]:
    """Open a file on a web server for reading.

    Args:
        uri: An http: or https: URI.
        timeout: The most seconds that the server may send nothing.
        client: Whose certificates and proxies to use. Default: the current client's, if there is one.

    Raises:
        ValueError: The URI is not well-formed.
        OSError: The server cannot be reached, or does not return the file.
    """
    http = streaming_client(client)
    try:
        return io.BufferedReader(_Reader(http, http.open(uri, Transfer(timeout))))
    except HttpStatusError as error:
        http.close()
        raise _file_error(error) from None
    except BaseException:  # the reply would have closed the client
        http.close()
        raise


def download_url(
    http: StreamingClient,
    uri: str,
    target: Path,
    transfer: Transfer,
    *,
    timeout: float,
    report: Callable[[int, int | None], object],
) -> None:
    """Download a file of a web server. See `flyte_rpc.http.download.download`.

    Raises:
        ValueError: The URI is not well-formed.
        OSError: The file cannot be read or written.
    """
    try:
        download(http, uri, target, transfer, timeout=timeout, report=report)
    except HttpStatusError as error:
        raise _file_error(error) from None


def _file_error(error: HttpStatusError) -> OSError:
    kind = _KINDS.get(error.status)
    return error if kind is None else kind(str(error))


class _Reader(io.RawIOBase):
    """The body of a reply as a file."""

    def __init__(self, http: StreamingClient, reply: StreamedReply) -> None:
        self._http = http
        self._reply = reply
        self._chunks = reply.chunks()
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        if not self._rest:
            self._rest = memoryview(next(self._chunks, b""))
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def close(self) -> None:
        if not self.closed:
            self._reply.close()
            self._http.close()
        super().close()
