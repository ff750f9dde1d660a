"""Credentials for a proxy in front of the control plane, beside those for the control plane."""

from __future__ import annotations

from flyte_rpc.calls.credentials import Credentials, Headers, described
from flyte_rpc.calls.metadata import added

HEADER = "proxy-authorization"


class WithProxyAuthorization:
    """Adds the header `proxy-authorization` to the headers of other credentials."""

    beside_blocks = True
    """The proxy wants its header also where an `auth_metadata` block replaces the other credentials."""

    def __init__(self, proxy: Credentials, inner: Credentials | None) -> None:
        """Combine credentials.

        Args:
            proxy: Supplies the header of the proxy.
            inner: Supplies the headers of the control plane. None for an anonymous client.
        """
        self._proxy = proxy
        self._inner = inner

    async def headers(self) -> Headers:
        """Return the headers of both.

        Raises:
            SdkError: One of them has no credentials.
        """
        return (*await self._proxy.headers(), *await self._inner_headers())

    async def _inner_headers(self) -> Headers:
        if self._inner is None or _replaced():
            return ()
        return await self._inner.headers()

    async def renew(self, rejected: Headers) -> bool:
        """Renew both, since nothing tells which of them was rejected.

        Returns:
            Whether one of them is another one now.

        Raises:
            SdkError: One of them has no credentials.
        """
        changed = await self._proxy.renew(tuple(pair for pair in rejected if pair[0] == HEADER))
        if self._inner is not None and not _replaced():
            changed = await self._inner.renew(tuple(pair for pair in rejected if pair[0] != HEADER)) or changed
        return changed

    def describe(self) -> str:
        """Name the ways to log in, for messages."""
        return f"{described(self._inner)} and a proxy command"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, WithProxyAuthorization) and (self._proxy, self._inner) == (other._proxy, other._inner)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"WithProxyAuthorization({self._proxy!r}, {self._inner!r})"


def _replaced() -> bool:
    return any(name == "authorization" for name, _ in added())
