"""Where a control plane is: the forms of an endpoint that people write, and what they mean."""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple
from urllib.parse import urlsplit

FORMS = "http://host[:port] (cleartext), https://host[:port] (TLS), dns:///host[:port], host:port or unix:///path"

_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?")


class Endpoint(NamedTuple):
    """A place to connect to."""

    host: str
    """Name or address, IPv6 without brackets."""
    port: int
    tls: bool
    socket_path: str = ""
    """Path of a Unix socket, in place of host and port."""

    @property
    def address(self) -> str:
        """`host:port`, with brackets around an IPv6 address; the path of a Unix socket."""
        if self.socket_path:
            return self.socket_path
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def authority(self) -> str:
        """The value of the header `:authority` or `Host`: without a port that is the default of the scheme.

        Proxies compare it with the names of their virtual hosts as it stands.
        """
        if self.socket_path:
            return "localhost"
        default = f":{443 if self.tls else 80}"
        return self.address.removesuffix(default)

    def __str__(self) -> str:
        if self.socket_path:
            return f"unix://{self.socket_path}"
        return f"{'https' if self.tls else 'http'}://{self.address}"


def parse_endpoint(text: str, *, insecure: bool | None = None) -> Endpoint:
    """Understand an endpoint.

    Args:
        text: `http://host[:port]`, `https://host[:port]`, `dns:///host[:port]` or `host[:port]`. Without `http:` or `https:`,
            the connection is TLS, but for the loopback host.
        insecure: True for cleartext, False for TLS, where the text does not say. Default: as above.

    Raises:
        ValueError: The text is none of these, or contradicts `insecure`.
    """
    if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"endpoint takes text such as {FORMS}, not {type(text).__name__}")
    given = text.strip()
    scheme, separator, rest = given.partition("://")
    if not separator:
        scheme, rest = "", given
    elif scheme.lower() == "unix":
        return _socket(text, rest, insecure)
    elif scheme.lower() == "dns":
        scheme, rest = "", rest.removeprefix("/") if rest.startswith("/") else "\0"
    elif scheme.lower() not in ("http", "https"):
        raise _rejected(text, f"scheme {scheme!r} is not supported")
    try:
        parts = urlsplit("//" + rest)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise _rejected(text, str(error)) from None
    if parts.username is not None or parts.password is not None:
        raise ValueError("an endpoint carries no user or password; pass token= instead")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise _rejected(text, "a path or query has no meaning here")
    if not is_host(host):
        raise _rejected(text, "there is no valid host name in it")
    tls = _tls(text, scheme.lower(), host, insecure)
    if port is None:
        port = 443 if tls else 80
    if not port:
        raise _rejected(text, "port 0 cannot be connected to")
    return Endpoint(host, port, tls)


def _tls(text: str, scheme: str, host: str, insecure: bool | None) -> bool:
    if scheme and insecure is not None and insecure is not (scheme == "http"):
        raise ValueError(f"insecure={insecure} contradicts the endpoint {text!r}")
    if scheme:
        return scheme == "https"
    return not (is_loopback(host) if insecure is None else insecure)


def _socket(text: str, path: str, insecure: bool | None) -> Endpoint:
    if not path.startswith("/") or path.endswith("/") or "\0" in path:
        raise _rejected(text, "a Unix socket has an absolute path")
    if insecure is False:
        raise ValueError(f"insecure=False contradicts the endpoint {text!r}: Unix sockets have no TLS")
    return Endpoint("localhost", 0, False, path)


def is_host(text: str) -> bool:
    """Whether text is a host name or an address, IPv6 without brackets."""
    if ":" not in text:
        return _HOST.fullmatch(text) is not None
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, so that nothing leaves it."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _rejected(text: str, why: str) -> ValueError:
    # An endpoint may hold a password by mistake, so nothing before an @ is repeated.
    shown = text.rpartition("@")[2]
    return ValueError(f"{shown!r} is not an endpoint: {why}. Write {FORMS}.")
