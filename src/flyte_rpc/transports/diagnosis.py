"""What went wrong on the wire, said so that a person knows what to do: the texts behind `EndpointError` and statuses."""

from __future__ import annotations

import errno
import os
import re
import socket
import ssl
import stat
from base64 import b64decode
from typing import TYPE_CHECKING
from urllib.parse import unquote

from flyte_rpc.errors import ConnectionLostError, EndpointError, RpcError, UnimplementedError, UnknownError, rpc_error
from flyte_rpc.status import Status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .endpoint import Endpoint

_STATUS_OF_HTTP = {
    401: Status.UNAUTHENTICATED,
    403: Status.PERMISSION_DENIED,
    429: Status.UNAVAILABLE,
    502: Status.UNAVAILABLE,
    503: Status.UNAVAILABLE,
    504: Status.UNAVAILABLE,
}
"""What gRPC prescribes for replies that carry no gRPC status. The rest does not come from a gRPC server at all."""

_STATUS_DIGITS = 9
"""Digits of a status that is still a number worth reading."""

_VALIDITY = (9, 10)
"""OpenSSL's codes of certificates that are not valid yet, and not any more."""

_NAMES = (62, 64)
"""OpenSSL's codes of certificates for another host name or address."""

_ERRNO = re.compile(r"\[Errno (\d+)\]")


class ForeignReply(Exception):
    """A reply of something that does not speak the protocol of the request. The cause of the error that is raised for it."""

    def __init__(
        self, answered: str, *, http1: bool = False, http2: bool = False, status: int = 0, html: bool = False
    ) -> None:
        """Describe the reply.

        Args:
            answered: What it is. Nothing that the server may have copied from the request, since only the messages of
                `RpcError` are redacted.
            http1: Whether the peer answered HTTP/2 with HTTP/1.1, so that it cannot have read the request.
            http2: Whether the peer answered HTTP/1.1 with HTTP/2, so that it cannot have read the request.
            status: The HTTP status, if there is one.
            html: Whether it is a web page.
        """
        super().__init__(answered)
        self.http1 = http1
        self.http2 = http2
        self.status = status
        self.html = html


class MissingTrailers(Exception):
    """A gRPC reply was complete but for its trailers. The cause of the error that is raised for it."""


class NoReply(Exception):
    """A server closed an HTTP/1.1 connection without a byte, as those do that speak HTTP/2 only. The cause of the error."""


def unreachable_proxy(address: str, error: OSError) -> EndpointError:
    """The error for a proxy that cannot be connected to."""
    if isinstance(error, socket.gaierror):
        what = f"its host name cannot be resolved ({error.strerror})"
    elif isinstance(error, ssl.SSLError):
        what = f"the TLS handshake fails ({getattr(error, 'verify_message', '') or error.reason or 'no reason'})"
    elif _is_refusal(error):
        what = "nothing is listening there"
    else:
        what = error.strerror or str(error) or "it does not answer"
    hint = "Check HTTPS_PROXY, HTTP_PROXY and ALL_PROXY or the proxy setting, or add the endpoint to NO_PROXY."
    return EndpointError(f"the proxy {address} cannot be reached: {what}", hint=hint, unprocessed=True)


def no_tunnel(endpoint: Endpoint, proxy: str, expected: str) -> EndpointError:
    """The error for a proxy that says that it has connected, but passes on something else.

    Args:
        endpoint: The peer at the other end.
        proxy: Address of the proxy.
        expected: What the peer should speak.
    """
    return EndpointError(
        f"the tunnel of the proxy {proxy} to {endpoint.address} does not speak {expected}",
        hint="Check the address of the proxy, and host, port and scheme of the endpoint.",
        unprocessed=True,
    )


def unreachable(
    endpoint: Endpoint, error: OSError, *, connected: bool, expected: str = "gRPC", proxy: str = ""
) -> EndpointError:
    """The error for a connection that could not be made.

    Args:
        endpoint: The peer.
        error: What failed.
        connected: Whether the peer has accepted the connection.
        expected: What the peer should speak.
        proxy: Address of the proxy to it, if there is one.
    """
    where = endpoint.address
    hint = ""
    if endpoint.socket_path and (found := _other_file(endpoint.socket_path)):
        what, hint = found, "Start the server, or check the path."
    elif proxy and isinstance(error, ssl.SSLError) and _is_not_tls(error):
        return no_tunnel(endpoint, proxy, "TLS")
    elif proxy and isinstance(error, TimeoutError) and not connected:
        what = f"the proxy {proxy} does not connect to {where} in time"
        hint = f"Check host and port of both, and that the proxy allows {where}."
    elif isinstance(error, ssl.SSLCertVerificationError):
        what = f"the TLS certificate of {where} is not trusted ({error.verify_message})"
        hint = _certificate_hint(error)
    elif isinstance(error, ssl.SSLError):
        what = f"the TLS handshake with {where} failed ({error.reason or error})"
        if _is_not_tls(error):
            hint = f"The server seems to speak cleartext: use http://{where}."
    elif isinstance(error, socket.gaierror):
        what = f"the host name {endpoint.host!r} cannot be resolved ({error.strerror})"
    elif _is_refusal(error):
        what = f"nothing is listening on {where}"
        hint = "Start the server, or check host and port."
    elif isinstance(error, TimeoutError) and connected:
        so = ", so it is not a gRPC server" if expected == "gRPC" else ""
        what = f"{where} accepts connections but sends no HTTP/2 settings{so}"
        hint = _other_scheme(endpoint)
    elif isinstance(error, TimeoutError):
        what = f"{where} does not answer"
        hint = "Check host and port, and that no firewall is in the way."
    else:
        what = f"no connection to {where} ({error.strerror or error})"
    return EndpointError(what, hint=hint, unprocessed=True)


_STRICT = ("key usage", "key identifier")
"""Words in the reasons of Python 3.13, which earlier versions do not have."""


def _certificate_hint(error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code in _VALIDITY:
        return "Renew the server's certificate, and check the clocks of both machines."
    if error.verify_code in _NAMES:
        return "Use a host name that the certificate is for, or set Network(server_name=...)."
    if any(words in str(error.verify_message).lower() for words in _STRICT):
        return (
            "Since Python 3.13, certificates must have the extensions that RFC 5280 asks for. Have the certificates of the "
            "server and of its authority issued again."
        )
    return (
        "If a private authority issued it, name its bundle with Network(ca_file=...) or in the environment variable "
        "SSL_CERT_FILE."
    )


def not_http2(
    endpoint: Endpoint, head: bytes, ended: str = "", *, expected: str = "gRPC", proxy: str = ""
) -> EndpointError:
    """The error for a peer whose first bytes are not HTTP/2.

    Args:
        endpoint: The peer.
        head: Its first bytes.
        ended: Why the connection ended, if it did.
        expected: What the peer should speak: `gRPC` or `HTTP/2`.
        proxy: Address of the proxy to it, if there is one.
    """
    where = endpoint.address
    hint = ""
    if "CERTIFICATE_REQUIRED" in ended.upper().replace(" ", "_"):  # TLS 1.3 servers say so after the handshake
        what = f"{where} asks for a client certificate"
        hint = "Set Network(client_certificate=..., client_key=...)."
    elif _is_http1(head):
        line = head.split(b"\r\n", 1)[0].decode("utf-8", "replace")
        what = f"what answers on {where} speaks HTTP/1.1, not {expected} ({line!r})"
        hint = "A web server or proxy answers there: use the port of the gRPC service, or let the proxy pass HTTP/2 on."
    elif head.lstrip().startswith(b"<"):
        what = f"what answers on {where} sends an HTML page, not {expected}"
        hint = "A web server answers there: use the port of the gRPC service."
    elif head.startswith(b"\x15\x03"):
        what = f"what answers on {where} expects TLS"
        hint = f"Use https://{where}."
    elif head and proxy:
        return no_tunnel(endpoint, proxy, expected)
    elif head:
        what = f"what answers on {where} does not speak {expected} (it sends {head[:40]!r})"
    else:
        return closed_at_once(endpoint)
    error = EndpointError(what, hint=hint, unprocessed=True)
    # Python's own server is one that answers a version of HTTP it does not know with a page that has no headers.
    http1 = _is_http1(head) or head.lstrip().startswith(b"<")
    error.__cause__ = ForeignReply("the first bytes are not HTTP/2", http1=http1)
    return error


def closed_at_once(endpoint: Endpoint) -> EndpointError:
    """The error for a peer that accepts connections and closes them before anything is sent."""
    return EndpointError(
        f"{endpoint.address} closes the connection without an answer", hint=_other_scheme(endpoint), unprocessed=True
    )


def missing_status(*, complete: bool) -> ConnectionLostError:
    """The error for a reply that ended without trailers.

    Args:
        complete: Whether no message was cut short.
    """
    if not complete:
        return ConnectionLostError("the reply ended without a status, as when something cuts it off on the way")
    error = ConnectionLostError(
        "the reply ended without a status: a proxy between you and the server drops HTTP trailers",
        hint="Use transport='connect', or grpc_pass in nginx. The call may have taken effect all the same: look before "
        "repeating a change.",
    )
    error.__cause__ = MissingTrailers("the reply has no trailers")
    return error


def check_response(headers: Mapping[str, str]) -> None:
    """Make sure that what begins is a gRPC reply.

    Raises:
        RpcError: It is an error, or not from a gRPC server.
    """
    if "grpc-status" in headers:
        return
    http = int(headers[":status"]) if headers.get(":status", "").isdecimal() else 0
    kind = headers.get("content-type", "")
    if http == 200 and kind.partition(";")[0].partition("+")[0].strip() == "application/grpc":
        return
    answered = f"HTTP {http or 'reply without a status'}" + (f" of type {kind}" if kind else "")
    if status := _STATUS_OF_HTTP.get(http):
        raise rpc_error(status, f"a proxy or web server answered with {answered} instead of a gRPC reply")
    if http == 404 and not kind.startswith("text/html"):
        # Servers that route by path answer so where a service is not mounted. A page is from a web server of no service.
        raise UnimplementedError(f"it answered with {answered}, so nothing is there under the name of the method")
    cause = ForeignReply(answered, status=http, html=kind.startswith("text/html"))
    if target := headers.get("location"):
        answered += f", which redirects to {target}"
    raise EndpointError(
        f"what answers is not a gRPC server ({answered})",
        hint="Check that the endpoint is the gRPC service, and that the proxy before it passes gRPC on.",
    ) from cause


def raise_for_status(trailers: Mapping[str, str]) -> None:
    """Raise what the trailers of a reply say, unless it is OK.

    Raises:
        RpcError: The class of the status.
    """
    text = trailers.get("grpc-status", "")
    if not (text.isascii() and text.isdecimal() and len(text) <= _STATUS_DIGITS):
        raise UnknownError("the server ended the reply without a gRPC status")
    if int(text) != Status.OK:
        raise _status_error(int(text), trailers)


def _status_error(status: int, trailers: Mapping[str, str]) -> RpcError:
    message = unquote(trailers.get("grpc-message", ""), errors="replace")
    packed = trailers.get("grpc-status-details-bin", "")
    try:
        details = b64decode(packed + "=" * (-len(packed) % 4))
    except ValueError:
        details = b""  # broken details must not hide the error that they belong to
    return rpc_error(status, message, details=details)


def _is_http1(head: bytes) -> bool:
    """Whether first bytes, of which there may be few, begin an HTTP/1.1 reply."""
    return bool(head) and b"HTTP/1.".startswith(head[:7])


def _is_not_tls(error: ssl.SSLError) -> bool:
    return "WRONG_VERSION" in str(error) or "RECORD_LAYER" in str(error)


def _other_file(path: str) -> str:
    """What is at the path of a Unix socket in its place; empty for a socket."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return f"there is no socket at {path}"
    except OSError:
        return ""  # the error of the connection says why
    if stat.S_ISSOCK(mode):
        return ""
    kind = "a directory" if stat.S_ISDIR(mode) else "a regular file" if stat.S_ISREG(mode) else "another kind of file"
    return f"{path} is {kind}, not a socket"


def _is_refusal(error: OSError) -> bool:
    """Whether every address of the host refused. asyncio joins several failures into one error that is text only."""
    if isinstance(error, ConnectionRefusedError):
        return True
    numbers = {int(number) for number in _ERRNO.findall(str(error))}
    return error.errno is None and numbers == {errno.ECONNREFUSED}


def _other_scheme(endpoint: Endpoint) -> str:
    if endpoint.tls:
        return "Check the port, and whether the server asks for a client certificate."
    return f"Check the port; if the server expects TLS, use https://{endpoint.address}."
