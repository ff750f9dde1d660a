"""How a client authenticates: the token or the log-in that its settings ask for."""

from __future__ import annotations

import logging
from typing import Any

from flyte.errors import InitializationError
from flyte_rpc.calls.credentials import BearerToken, Credentials, Headers, OnDemand, Token, TokenFunction
from flyte_rpc.transports.endpoint import Endpoint
from flyte_rpc.transports.network.settings import Network

from .settings import Settings

_log = logging.getLogger("flyte")

WAYS = (
    "auth_type",
    "api_key",
    "client_credentials_secret",
    "client_secret_location",
    "client_secret_env_var",
    "command",
)
"""Settings that choose a way to log in."""

_DETAILS = (
    "client_id",
    "scopes",
    "audience",
    "authorization_header",
    "auth_client_config",
    "subject",
    "disable_keyring",
    "headless",
    "interactive",
)
"""Settings that say more about it."""


def authentication(
    settings: Settings, endpoint: Endpoint, network: Network | None, *, attended: bool
) -> dict[str, Any]:
    """The argument `token` or `credentials` of a client; nothing for an anonymous one.

    A way to log in that is set is used for every call. Without one, or if the endpoint is cleartext, the client logs in when
    the server rejects an anonymous call.

    Args:
        settings: The settings.
        endpoint: The control plane.
        network: Trust and proxies.
        attended: Whether a person may be asked to log in, unless the settings say so.

    Raises:
        InitializationError: The settings contradict each other, or lack something.
    """
    ways = [name for name in WAYS if settings[name] is not None]
    by_argument = [name for name in ways if settings.source(name) == "argument"]
    token: Token | None = settings["token"]
    if token is not None and by_argument:
        if settings.source("token") == "argument":
            raise InitializationError(f"pass token= or {by_argument[0]}=, not both")
        token = None  # the argument overrides the environment
    proxy = _proxy(settings)
    if token is not None:
        if isinstance(token, str):
            settings.checked("token", BearerToken)
        if proxy is None:
            return {"token": token}
        inner: Credentials = BearerToken(token) if isinstance(token, str) else TokenFunction(token)
        return {"credentials": _beside(proxy, inner)}
    login = _Login(settings, endpoint, network, proxy, attended=attended)
    if ways:
        found = login()  # now, so that settings that cannot work are found early
        eager = endpoint.tls or str(settings["auth_type"] or "").strip().lower() == "passthrough"
        return {"credentials": _beside(proxy, found if eager else OnDemand(lambda: found, identity=found))}
    if attended and endpoint.tls:
        return {"credentials": _beside(proxy, _IfOffered(login, identity=login.identity))}
    return {} if proxy is None else {"credentials": _beside(proxy, None)}


class _IfOffered(OnDemand):
    """Logs in when the server rejects an anonymous call and says how to log in."""

    async def renew(self, rejected: Headers) -> bool:
        from .discovery import NoLogInError

        try:
            return await super().renew(rejected)
        except NoLogInError as error:
            _log.debug("There is no log-in: %s", error)
            return False


class _Login:
    """Creates the credentials that the settings describe."""

    def __init__(
        self,
        settings: Settings,
        endpoint: Endpoint,
        network: Network | None,
        proxy: Credentials | None,
        *,
        attended: bool,
    ) -> None:
        self._settings = settings
        self._arguments: dict[str, Any] = {"interactive": attended}
        self._arguments |= {name: value for name in (*WAYS, *_DETAILS) if (value := settings[name]) is not None}
        self._arguments |= {"endpoint": str(endpoint), "network": network, "proxy": proxy}
        self.identity = tuple(sorted((name, repr(value)) for name, value in self._arguments.items()))

    def __call__(self) -> Credentials:
        from .login import login_for

        try:
            return login_for(**self._arguments)
        except InitializationError as error:
            sources = ((name, self._settings.source(name)) for name in (*WAYS, *_DETAILS))
            shown = "; ".join(f"{name}: {source}" for name, source in sources if source not in ("", "argument"))
            raise InitializationError(f"{error}{f' Set by {shown}.' if shown else ''}") from None


def _proxy(settings: Settings) -> Credentials | None:
    if settings["proxy_command"] is None:
        return None
    from .login import proxy_session

    return settings.checked("proxy_command", proxy_session)


def _beside(proxy: Credentials | None, inner: Credentials | None) -> Credentials | None:
    if proxy is None:
        return inner
    from .login import with_proxy

    return with_proxy(proxy, inner)
