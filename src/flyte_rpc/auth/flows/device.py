"""Logging in on another device (RFC 8628)."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from flyte_rpc.auth.server import AuthServer
from flyte_rpc.auth.token_endpoint import TokenEndpoint, TokenRequestError
from flyte_rpc.auth.tokens import Tokens
from flyte_rpc.errors import AuthenticationError, InitializationError
from flyte_rpc.http.addresses import origin_and_path
from flyte_rpc.http.client import HttpClient

_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_INTERVAL = 5.0
_SHORTEST = 1.0
"""Minimum seconds between requests, whatever the server says."""
_SLOW_DOWN = 5.0
_LIFETIME = 600.0
_LONGEST = 1800.0
"""Seconds that a server may let a person take."""


class DeviceFlow:
    """Shows a URL and a code, and waits until a person has entered the code there."""

    name = "DeviceFlow"
    interactive = True

    def __init__(
        self,
        http: HttpClient,
        discover: Callable[[], AuthServer],
        *,
        show: Callable[[str], None],
        shortest_interval: float = _SHORTEST,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Describe the log-in.

        Args:
            http: Sends the requests.
            discover: Returns the server and the client's id.
            show: Shows text to the person.
            shortest_interval: Minimum seconds between requests, whatever the server says.
            sleep: Waits between requests.
            clock: The monotonic clock.
        """
        self._http = http
        self._discover = discover
        self._show = show
        self._shortest_interval = shortest_interval
        self._sleep = sleep
        self._clock = clock

    def log_in(self) -> Tokens:
        server = self._discover()
        if not server.device_authorization_endpoint:
            raise InitializationError(
                "The authorization server offers no device log-in. Use auth_type='Pkce' on a machine with a browser, or "
                "auth_type='ClientSecret' for programs."
            )
        endpoint = TokenEndpoint(self._http, server, clock=self._clock)
        form = {"scope": " ".join(server.scopes)} if server.scopes else {}
        if server.audience:
            form["audience"] = server.audience
        started = self._clock()
        reply = endpoint.send(server.device_authorization_endpoint, form)
        code, shown = _instructions(reply, origin_and_path(server.device_authorization_endpoint))
        self._show(shown)
        interval = max(_number(reply.get("interval"), _INTERVAL), self._shortest_interval)
        end = started + min(_number(reply.get("expires_in"), _LIFETIME), _LONGEST)
        return self._poll(endpoint, code, interval, end)

    def refresh(self, refresh_token: str) -> Tokens:
        return TokenEndpoint(self._http, self._discover(), clock=self._clock).refresh(refresh_token)

    def _poll(self, endpoint: TokenEndpoint, code: str, interval: float, end: float) -> Tokens:
        refusal = ""
        while not refusal:
            if self._clock() + interval > end:
                refusal = "Nobody entered the code in time. Make the call again to get a new one."
                break
            self._sleep(interval)
            try:
                return endpoint.grant(_GRANT, device_code=code)
            except TokenRequestError as error:
                if error.code == "slow_down":
                    interval += _SLOW_DOWN
                elif error.code == "access_denied":
                    refusal = "The log-in was denied on the other device."
                elif error.code == "expired_token":
                    refusal = "The code has expired. Make the call again to get a new one."
                elif error.code != "authorization_pending" and not error.transient:
                    raise
        raise AuthenticationError(refusal)


def _instructions(reply: dict[str, Any], where: str) -> tuple[str, str]:
    """The device code, and the text to show."""
    code, user_code = reply.get("device_code"), reply.get("user_code")
    url = reply.get("verification_uri") or reply.get("verification_url")
    if not (isinstance(code, str) and code and isinstance(user_code, str) and isinstance(url, str)):
        raise AuthenticationError(f"{where} sends no device code.")
    if not (user_code.isprintable() and url.isprintable()):  # it goes to a terminal
        raise AuthenticationError(f"{where} sends a code or URL that cannot be shown.")
    return code, f"To log in, open {url} on any device and enter the code {user_code}"


def _number(value: object, default: float) -> float:
    try:
        seconds = float(value) if isinstance(value, (int, float, str)) else default
    except ValueError:
        return default
    return seconds if 0 < seconds < float("inf") else default
