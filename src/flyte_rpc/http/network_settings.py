"""What HTTP requests need to know about trust and proxies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import ssl


class NetworkSettings(Protocol):
    """Trust and proxies."""

    def ssl_context(self, *protocols: str) -> ssl.SSLContext:
        """TLS settings that offer these protocols by ALPN."""
        ...

    def proxy_for(self, url: str) -> str | None:
        """The URL of the proxy for a request, credentials included; None for a direct connection."""
        ...
