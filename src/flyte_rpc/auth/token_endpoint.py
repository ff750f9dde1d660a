"""Requests to a token endpoint, and what its refusals mean."""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote_plus

from flyte_rpc.errors import AuthenticationError
from flyte_rpc.http.addresses import origin_and_path
from flyte_rpc.http.client import HttpClient, HttpReply
from flyte_rpc.http.errors import HttpError
from flyte_rpc.redaction import SHORTEST_SECRET, redact

from .server import AuthServer
from .tokens import Tokens, tokens_of

_DESCRIPTION = 200
"""Maximum characters of a server's explanation in an error."""

_BUSY = 429
_TRANSIENT = frozenset(("server_error", "temporarily_unavailable"))

_CODES = frozenset(
    (
        *_TRANSIENT,
        "access_denied",
        "authorization_pending",
        "expired_token",
        "invalid_client",
        "invalid_grant",
        "invalid_request",
        "invalid_scope",
        "slow_down",
        "unauthorized_client",
        "unsupported_grant_type",
    )
)
"""The error codes of RFC 6749 and RFC 8628, which say nothing of the request."""

_REMEDIES = {
    "invalid_client": "Check the client id and the secret.",
    "unauthorized_client": "Its operators have to allow this way to log in for the client.",
    "invalid_scope": "Set scopes to some that it knows.",
}
"""What to do about an OAuth error code."""


class TokenRequestError(AuthenticationError):
    """The token endpoint issued no token."""

    def __init__(self, message: str, *, code: str = "", transient: bool = False) -> None:
        """Describe the failure.

        Args:
            message: What failed.
            code: The OAuth error code, such as `invalid_grant`; empty if there is none.
            transient: Whether the same request may succeed later.
        """
        super().__init__(message)
        self.code = code
        self.transient = transient


class TokenEndpoint:
    """Sends requests for tokens."""

    def __init__(
        self,
        http: HttpClient,
        server: AuthServer,
        *,
        client_secret: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Describe the client.

        Args:
            http: Sends the requests.
            server: The server, and the client's id.
            client_secret: The client's secret. Default: none, for a public client.
            clock: The monotonic clock.
        """
        self._http = http
        self._server = server
        self._secret = client_secret
        self._clock = clock

    @property
    def url(self) -> str:
        """Where the requests go, without a query."""
        return origin_and_path(self._server.token_endpoint)

    def grant(self, grant_type: str, **form: str) -> Tokens:
        """Request tokens.

        Raises:
            TokenRequestError: The server refuses, or cannot be reached.
            AuthenticationError: Its reply has no usable token.
        """
        started = self._clock()
        reply = self.send(self._server.token_endpoint, {"grant_type": grant_type, **form})
        return tokens_of(reply, self.url, requested=started, header=self._server.header)

    def refresh(self, refresh_token: str) -> Tokens:
        """Request tokens with a refresh token. If the server sends no new refresh token, the old one stays valid.

        Raises:
            TokenRequestError: The server refuses, or cannot be reached.
        """
        scope = {"scope": " ".join(self._server.scopes)} if self._server.scopes else {}
        found = self.grant("refresh_token", refresh_token=refresh_token, **scope)
        if found.refresh_token is None:
            return Tokens(
                access_token=found.access_token,
                refresh_token=refresh_token,
                lifetime=found.lifetime,
                received=found.received,
                header=found.header,
            )
        return found

    def send(self, url: str, form: Mapping[str, str]) -> dict[str, Any]:
        """Send a form as the client, and return the reply.

        Raises:
            TokenRequestError: The server refuses, or cannot be reached.
        """
        where = origin_and_path(url)
        problem, unreachable = "", False
        reply: HttpReply | None = None
        found: dict[str, Any] = {}
        try:
            reply = self._http.post_form(url, {**form, **self._identity()}, headers=self._headers())
            found = reply.json()
        except HttpError as error:
            problem, unreachable = str(error), error.transient
        # Raised outside of the handler, so that the chain has no error with more in it than ours.
        if reply is None:
            raise TokenRequestError(f"No token: {problem}.", transient=unreachable)
        if reply.status == 200 and not problem and "error" not in found:
            return found
        transient = reply.status >= 500 or reply.status == _BUSY
        if problem:
            raise TokenRequestError(f"No token: {problem}.", transient=transient)
        code, description = self._explanation(found, form)
        transient = transient or code in _TRANSIENT
        said = f"{code} ({description})" if description else code or f"status {reply.status}"
        remedy = _REMEDIES.get(code, "")
        raise TokenRequestError(f"{where} refuses: {said}.{remedy and ' '}{remedy}", code=code, transient=transient)

    def _identity(self) -> dict[str, str]:
        return {} if self._secret is not None else {"client_id": self._server.client_id}

    def _headers(self) -> list[tuple[str, str]]:
        if self._secret is None:
            return []
        pair = f"{quote_plus(self._server.client_id)}:{quote_plus(self._secret)}"
        return [("authorization", "Basic " + b64encode(pair.encode()).decode())]

    def _explanation(self, reply: Mapping[str, Any], form: Mapping[str, str]) -> tuple[str, str]:
        """The server's error code and words, without what it repeats of the request."""
        public = ("grant_type", "scope", "client_id", "redirect_uri", "audience")
        secrets = [value for name, value in form.items() if name not in public]
        if self._secret:
            secrets += [self._secret, quote_plus(self._secret)]
        secrets = [secret for secret in secrets if len(secret) >= SHORTEST_SECRET]
        texts: list[str] = []
        for name in ("error", "error_description"):
            value = reply.get(name)
            text = " ".join(value.split()) if isinstance(value, str) else ""
            if text not in _CODES:
                text = redact(text, *secrets)[:_DESCRIPTION].rstrip(".")
            texts.append("".join(c for c in text if c.isprintable()))
        return texts[0], texts[1]
