"""Logging in as a program that has a secret."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from flyte_rpc.auth.server import AuthServer
from flyte_rpc.auth.token_endpoint import TokenEndpoint
from flyte_rpc.auth.tokens import Tokens
from flyte_rpc.errors import AuthenticationError
from flyte_rpc.http.client import HttpClient


class ClientCredentials:
    """The grant `client_credentials`. Its tokens need no refresh token: the secret renews them."""

    name = "ClientSecret"
    interactive = False

    def __init__(self, http: HttpClient, discover: Callable[[], AuthServer], secret: Callable[[], str]) -> None:
        """Describe the log-in.

        Args:
            http: Sends the requests.
            discover: Returns the server and the client's id.
            secret: Returns the client's secret. It is called for each log-in, since secrets in files change.
        """
        self._http = http
        self._discover = discover
        self._secret = secret

    def log_in(self) -> Tokens:
        server = self._discover()
        form = {"scope": " ".join(server.scopes)} if server.scopes else {}
        if server.audience:
            form["audience"] = server.audience
        endpoint = TokenEndpoint(self._http, server, client_secret=self._secret())
        found = endpoint.grant("client_credentials", **form)
        return attrs.evolve(found, refresh_token=None)

    def refresh(self, refresh_token: str) -> Tokens:
        raise AuthenticationError("Tokens of a client secret are not refreshed.")
