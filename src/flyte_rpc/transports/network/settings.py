"""Trust, identity and proxies of every socket that a client opens."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import attrs

from flyte_rpc.arguments import flag
from flyte_rpc.errors import InitializationError
from flyte_rpc.transports.endpoint import Endpoint, is_host

from .proxies import Proxy, environment_proxy, parse_proxy

if TYPE_CHECKING:
    import ssl

_log = logging.getLogger("flyte_rpc")

StrPath = str | os.PathLike[str]


_PATHS = ("ca_file", "client_certificate", "client_key")


def _path(value: StrPath | None) -> str | None:
    path = os.fspath(value) if isinstance(value, os.PathLike) else value
    return os.path.expanduser(path) if isinstance(path, str) else path  # `Network` rejects everything else by name


@attrs.frozen(kw_only=True)
class Network:
    """How a client connects: which certificates it trusts and presents, and which proxy it uses.

    It applies to calls over every transport, to OAuth, and to uploads and downloads.
    """

    ca_file: str | None = attrs.field(default=None, converter=_path)
    """PEM file of the certificate authorities to trust, in place of the system's. Default: `SSL_CERT_FILE` if set, else
    the system's trust store."""
    client_certificate: str | None = attrs.field(default=None, converter=_path)
    """PEM file of the certificate to present, for servers that ask for one (mutual TLS)."""
    client_key: str | None = attrs.field(default=None, converter=_path)
    """PEM file of its private key. Default: the key is in the file of the certificate."""
    verify: bool = True
    """False accepts any certificate, and any host name in it. For tests only: anyone on the way can read and change calls."""
    server_name: str | None = None
    """The host name to expect in the server's certificate, where it differs from the endpoint's."""
    proxy: str | None = attrs.field(default=None, repr=lambda value: repr(value and "***"))
    """`http://[user:password@]host:port` or `https://...` of a proxy for everything; `""` for no proxy. Default: the
    environment variables `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`."""
    _contexts: dict[tuple[str, ...], ssl.SSLContext] = attrs.field(
        factory=lambda: dict[tuple[str, ...], "ssl.SSLContext"](), init=False, repr=False, eq=False
    )
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        """Check the settings.

        Raises:
            TypeError: A setting has the wrong type.
            ValueError: `server_name` is not a host name, or `client_key` is set without `client_certificate`.
            ProxyUrlError: `proxy` is not the URL of an HTTP proxy. It is a ValueError as well.
            InitializationError: A file does not exist.
        """
        for name in (*_PATHS, "server_name", "proxy"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, str):
                takes = "a path" if name in _PATHS else "text"
                raise TypeError(f"{name} takes {takes}, not {type(value).__name__}")  # the value may be a secret
        flag("verify", self.verify)
        if self.server_name is not None and not is_host(self.server_name):
            raise ValueError(f"server_name={self.server_name!r} is not a host name. Write the name without a port.")
        if self.proxy:
            parse_proxy(self.proxy, "proxy")
        if self.client_key and not self.client_certificate:
            raise ValueError("client_key is set without client_certificate. Set both, or neither.")
        for name in _PATHS:
            path = getattr(self, name)
            if path is not None and not Path(path).is_file():
                raise InitializationError(f"{name}={path!r} is not a file")

    def ssl_context(self, *protocols: str) -> ssl.SSLContext:
        """TLS settings.

        Args:
            protocols: What ALPN offers, such as `h2`. Default: nothing.

        Raises:
            InitializationError: A file of certificates or keys cannot be read.
        """
        with self._lock:
            context = self._contexts.get(protocols)
            if context is None:
                context = self._contexts[protocols] = self._make_context(protocols)
        return context

    def _make_context(self, protocols: tuple[str, ...]) -> ssl.SSLContext:
        import ssl

        try:
            context = ssl.create_default_context(cafile=self.ca_file)
        except (OSError, ssl.SSLError) as error:
            raise InitializationError(f"the certificates in {self.ca_file} cannot be read: {_reason(error)}") from None
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.client_certificate:
            try:
                context.load_cert_chain(self.client_certificate, self.client_key, password="")
            except (OSError, ssl.SSLError, ValueError) as error:
                if not self.client_key and _lacks_key(self.client_certificate):
                    raise InitializationError(
                        f"client_certificate={self.client_certificate!r} contains no private key. Set client_key to the "
                        "PEM file of the key."
                    ) from None
                where = self.client_certificate + (f" and {self.client_key}" if self.client_key else "")
                hint = "Both have to be PEM files, the key without a password, and belong together."
                raise InitializationError(
                    f"the client certificate in {where} cannot be used: {_reason(error)}. {hint}"
                ) from None
        if not self.verify:
            _log.warning(
                "TLS certificates are not verified: anyone on the way can read and change calls (verify=False)"
            )
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if protocols:
            context.set_alpn_protocols(list(protocols))
        return context

    def proxy_of(self, endpoint: Endpoint) -> Proxy | None:
        """The proxy to an endpoint; None for a direct connection.

        Raises:
            InitializationError: An environment variable names a proxy that cannot be used.
        """
        if endpoint.socket_path or self.proxy == "":
            return None
        if self.proxy:
            return parse_proxy(self.proxy, "proxy")
        return environment_proxy(endpoint.host, endpoint.port, tls=endpoint.tls)

    def proxy_for(self, url: str) -> str | None:
        """The URL of the proxy for an HTTP request, credentials included; None for a direct connection.

        Args:
            url: Where the request goes.
        """
        parts = urlsplit(url)
        tls = parts.scheme == "https"
        proxy = self.proxy_of(Endpoint(parts.hostname or "", parts.port or (443 if tls else 80), tls))
        return None if proxy is None else proxy.url


def _lacks_key(path: str) -> bool:
    """Whether a PEM file contains a certificate, but no private key."""
    try:
        data = Path(path).read_bytes()
    except OSError:
        return False
    return b"-----BEGIN CERTIFICATE" in data and b"PRIVATE KEY-----" not in data


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or getattr(error, "reason", None) or type(error).__name__
