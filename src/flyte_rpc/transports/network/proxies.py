"""Which proxy a connection uses: the variables HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY."""

from __future__ import annotations

import ipaddress
import os
from base64 import b64encode
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from flyte_rpc.errors import InitializationError
from flyte_rpc.transports.endpoint import is_host, is_loopback

_PORTS = {"http": 80, "https": 443}


class ProxyUrlError(InitializationError, ValueError):
    """The URL of a proxy cannot be used."""


class Proxy(NamedTuple):
    """An HTTP proxy."""

    host: str
    port: int
    tls: bool
    """Whether the connection to the proxy itself is TLS."""
    authorization: str
    """The value of `Proxy-Authorization`; empty for none."""
    url: str
    """As it was set, credentials included."""

    @property
    def address(self) -> str:
        """`host:port`."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def occurs_in(self, text: str) -> bool:
        """Whether text contains the password in any of its forms, so that it must not be shown."""
        user, _, password = urlsplit(self.url).netloc.rpartition("@")[0].partition(":")
        secret = password or user  # some proxies take a token in place of a user
        secrets = (secret, unquote(secret), self.authorization.rpartition(" ")[2])
        return any(form and form in text for form in secrets)

    def __repr__(self) -> str:
        return f"Proxy({self.address!r})"


def parse_proxy(text: str, source: str) -> Proxy:
    """Read the URL of a proxy.

    Args:
        text: `[http[s]://][user:password@]host[:port]`.
        source: The argument or variable that it comes from, for errors.

    Raises:
        ProxyUrlError: It is not a proxy that can be used. The message repeats no credentials.
    """
    url = text.strip()
    if not url.isprintable() or " " in url:  # urlsplit drops line ends
        raise ProxyUrlError(
            f"{source} contains a space or a control character. Percent-encode it if it is part of a password."
        )
    if "://" not in url:
        url = f"http://{url}"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port, parts = "", None, urlsplit("")
    if parts.scheme.startswith("socks"):
        raise ProxyUrlError(
            f"{source} names a SOCKS proxy, which is not supported. Set it to an HTTP proxy, or add the endpoint to NO_PROXY."
        )
    if not is_host(host) or parts.scheme not in _PORTS:
        raise ProxyUrlError(f"{source} is not the URL of a proxy. Write http://[user:password@]host:port.")
    authorization = ""
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = "Basic " + b64encode(pair.encode()).decode()
    return Proxy(host, port or _PORTS[parts.scheme], parts.scheme == "https", authorization, url)


def environment_proxy(host: str, port: int, *, tls: bool) -> Proxy | None:
    """The proxy that the environment sets for a connection; None for a direct one.

    This machine is never reached through a proxy of the environment.

    Args:
        host: Where the connection goes.
        port: Its port.
        tls: Whether it is TLS, for which `HTTPS_PROXY` applies in place of `HTTP_PROXY`.

    Raises:
        ProxyUrlError: The variable names something that cannot be used.
    """
    # In CGI programs, HTTP_PROXY is the header `Proxy:` of a request.
    names = ["https_proxy"] if tls else ["http_proxy"] if "REQUEST_METHOD" not in os.environ else []
    for name in (*names, "all_proxy"):
        for variable in (name, name.upper()):
            if value := os.environ.get(variable, "").strip():
                if is_loopback(host) or _excluded(host, port):
                    return None
                return parse_proxy(value, f"the environment variable {variable}")
    return None


def _excluded(host: str, port: int) -> bool:
    """Whether NO_PROXY lists a host: names with their subdomains, addresses, networks, each with a port or without; or `*`."""
    rules = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    return any(
        _matches(rule.strip().lower(), host.lower().rstrip("."), port) for rule in rules.split(",") if rule.strip()
    )


def _matches(rule: str, host: str, port: int) -> bool:
    if rule == "*":
        return True
    address = _address(host)
    if "/" in rule:
        try:
            return address is not None and address in ipaddress.ip_network(rule, strict=False)
        except ValueError:
            return False
    if _address(rule) is None:  # not an IPv6 address, so that a colon separates the port
        name, colon, number = rule.rpartition(":")
        if colon and number.isdecimal():
            if int(number) != port:
                return False
            rule = name
    rule = rule.removeprefix("[").removesuffix("]")
    if address is not None:
        return address == _address(rule)
    name = rule.removeprefix("*").removeprefix(".")
    if not name:
        return False
    # `.example.com` and `*.example.com` mean subdomains only, `example.com` means both.
    return host.endswith(f".{name}") or (host == name and rule == name)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
