"""Files on web servers. Errors name the file and do not expose the HTTP library."""

from __future__ import annotations

import http.client
import io
import urllib.error
import urllib.request
from typing import IO, Any

from flyte_rpc.redaction import redact

_KINDS: dict[int, type[OSError]] = {
    401: PermissionError,
    403: PermissionError,
    404: FileNotFoundError,
    410: FileNotFoundError,
}


def opened(uri: str, timeout: float) -> IO[bytes]:
    """Open a file on a web server for reading.

    Args:
        uri: An http: or https: URI.
        timeout: Seconds to wait for each response of the server.

    Raises:
        ValueError: The URI is not well-formed.
        OSError: The server cannot be reached, or does not return the file.
    """
    shown = redact(uri)
    try:
        reply: http.client.HTTPResponse = urllib.request.urlopen(uri, timeout=timeout)
    except urllib.error.HTTPError as error:
        error.close()
        kind = _KINDS.get(error.code, OSError)
        raise kind(f"{shown}: the server answered {error.code} {error.reason}") from None
    except OSError as error:
        raise _trouble(shown, error) from None
    except (http.client.HTTPException, ValueError) as error:
        # Spaces, control characters or an invalid host, each of which raises a different exception.
        raise ValueError(f"{shown} cannot be requested: {error}") from None
    return io.BufferedReader(_Reader(shown, reply))


def _trouble(shown: str, error: Exception) -> OSError:
    reason: Any = error.reason if isinstance(error, urllib.error.URLError) else error
    kind = TimeoutError if isinstance(reason, TimeoutError) else OSError
    return kind(f"{shown}: the server cannot be read: {reason}")


class _Reader(io.RawIOBase):
    """The body of a reply. It must have the announced length, so that a broken connection is not taken for its end."""

    def __init__(self, shown: str, reply: http.client.HTTPResponse) -> None:
        self._shown = shown
        self._reply = reply
        self._left = reply.length

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        try:
            count = self._reply.readinto(buffer)
        except (OSError, http.client.HTTPException) as error:
            raise _trouble(self._shown, error) from None
        if self._left is not None:
            self._left -= count
            if not count and self._left:
                raise OSError(f"{self._shown}: the connection broke; {self._left} bytes are missing")
        return count

    def close(self) -> None:
        self._reply.close()
        super().close()
