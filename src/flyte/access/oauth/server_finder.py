"""The authorization server of a log-in: what the settings say, and what the control plane says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from flyte.access.discovery import DEFAULT_REDIRECT_URI, discover
from flyte.errors import InitializationError
from flyte_rpc.auth.server import AuthServer
from flyte_rpc.calls.credentials import Credentials
from flyte_rpc.http.client import HttpClient
from flyte_rpc.transports.endpoint import Endpoint
from flyte_rpc.transports.network.settings import Network

_NEEDED_URLS = {
    "Pkce": ("token_endpoint", "authorization_endpoint"),
    "DeviceFlow": ("token_endpoint", "device_authorization_endpoint"),
    "ClientSecret": ("token_endpoint",),
}
"""What a log-in needs to know of the authorization server."""


class ServerFinder:
    """Returns the authorization server, with the settings in place of what the control plane names."""

    def __init__(
        self,
        endpoint: Endpoint,
        network: Network,
        http: HttpClient,
        proxy: Credentials | None,
        overrides: Mapping[str, Any],
        auth_type: str,
    ) -> None:
        """Describe the log-in. Nothing is sent.

        Args:
            endpoint: The control plane.
            network: Trust and proxies.
            http: Sends HTTP requests.
            proxy: Credentials for a proxy in front of the control plane.
            overrides: Fields of `AuthServer` that the settings name.
            auth_type: The way to log in.
        """
        self._where = endpoint, network, http, proxy
        self._overrides = dict(overrides)
        self._auth_type = auth_type

    def __call__(self) -> AuthServer:
        """Find the server.

        Raises:
            InitializationError: The control plane does not say how to log in, or names no OAuth client.
            RpcError: The control plane cannot be reached.
        """
        if all(self._overrides.get(name) for name in _NEEDED_URLS[self._auth_type]):
            fields: dict[str, Any] = {"redirect_uri": DEFAULT_REDIRECT_URI, **self._overrides}
            server = AuthServer(**fields)
        else:
            server = attrs.evolve(discover(*self._where), **self._overrides)
        if not server.client_id:
            raise InitializationError(
                f"{self._where[0]} names no OAuth client for auth_type={self._auth_type!r}. Pass client_id='...', which its "
                "operators know."
            )
        return server
