"""Logging in with a browser on this machine (authorization code with PKCE)."""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256
from urllib.parse import urlencode, urlsplit

from flyte_rpc.auth.server import AuthServer
from flyte_rpc.auth.token_endpoint import TokenEndpoint
from flyte_rpc.auth.tokens import Tokens
from flyte_rpc.errors import AuthenticationError, InitializationError
from flyte_rpc.http.client import HttpClient

from .callback import Answer, Callback

_TIMEOUT = 300.0
_ERROR = 80
"""Maximum characters of an error code from the log-in page."""


class PkceFlow:
    """Opens the log-in page in a browser, and receives its answer on a port of this machine."""

    name = "Pkce"
    interactive = True

    def __init__(
        self,
        http: HttpClient,
        discover: Callable[[], AuthServer],
        *,
        show: Callable[[str], None],
        open_browser: Callable[[str], bool] | None,
        login_hint: str = "",
        timeout: float = _TIMEOUT,
    ) -> None:
        """Describe the log-in.

        Args:
            http: Sends the requests.
            discover: Returns the server and the client's id.
            show: Shows text to the person.
            open_browser: Opens a URL in a browser and returns whether that worked. None never opens one: the link is shown.
            login_hint: The account to log in with, as a suggestion to the log-in page.
            timeout: Seconds that a person may take.
        """
        self._http = http
        self._discover = discover
        self._show = show
        self._open_browser = open_browser
        self._login_hint = login_hint
        self._timeout = timeout

    def log_in(self) -> Tokens:
        server = self._discover()
        if not server.authorization_endpoint:
            raise InitializationError(
                "The authorization server has no log-in page. Use auth_type='DeviceFlow', or auth_type='ClientSecret' for "
                "programs."
            )
        state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(64)
        callback = Callback(server.redirect_uri, state)
        try:
            self._invite(_link(server, callback.redirect_uri, state, verifier, self._login_hint))
            answer = callback.wait(self._timeout)
            problem = _problem(answer, self._timeout)
            if answer is None or problem:
                callback.settle(problem)
                raise AuthenticationError(problem)
            return self._exchange(server, callback, answer.code, verifier)
        finally:
            callback.close()

    def refresh(self, refresh_token: str) -> Tokens:
        return TokenEndpoint(self._http, self._discover()).refresh(refresh_token)

    def _invite(self, link: str) -> None:
        if self._open_browser is not None and self._open_browser(link):
            self._show("A page to log in has been opened in your browser.")
        else:
            self._show(f"To log in, open this link in a browser on this machine:\n{link}")

    def _exchange(self, server: AuthServer, callback: Callback, code: str, verifier: str) -> Tokens:
        try:
            found = TokenEndpoint(self._http, server).grant(
                "authorization_code", code=code, code_verifier=verifier, redirect_uri=callback.redirect_uri
            )
        except AuthenticationError as error:
            callback.settle(str(error))
            raise
        callback.settle()
        return found


def _link(server: AuthServer, redirect_uri: str, state: str, verifier: str, login_hint: str) -> str:
    challenge = urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    query = {
        "response_type": "code",
        "client_id": server.client_id,
        "redirect_uri": redirect_uri,
        "state": state,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        "scope": " ".join(server.scopes),
        "audience": server.audience,
        "login_hint": login_hint,
    }
    separator = "&" if urlsplit(server.authorization_endpoint).query else "?"
    return server.authorization_endpoint + separator + urlencode({k: v for k, v in query.items() if v})


def _problem(answer: Answer | None, timeout: float) -> str:
    """Why there is no code; empty if there is one."""
    if answer is None:
        return (
            f"Nobody logged in within {timeout:g} s. Make the call again, or use auth_type='DeviceFlow' if the browser is on "
            "another machine."
        )
    if not answer.error:
        return ""
    if answer.error == "access_denied":
        return "The log-in was denied on the log-in page."
    code = "".join(c for c in answer.error[:_ERROR] if c.isalnum() or c in "_-. ")
    return f"The log-in page reports {code or 'an error'}."
