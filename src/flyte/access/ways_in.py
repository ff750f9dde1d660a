"""How a client authenticates: the token or the log-in that its settings ask for."""

from __future__ import annotations

import logging
from collections.abc import Mapping
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

OF_LOGIN = ("token", *WAYS, "proxy_command", *_DETAILS)
"""The settings that an object with credentials replaces."""

_MATERIAL = {
    "clientsecret": ("api_key", "client_credentials_secret", "client_secret_location", "client_secret_env_var"),
    "externalcommand": ("command",),
}
"""What a way to log in needs, which a weaker source may supply."""


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
    chosen = _chosen(settings)
    token: Token | None = chosen.pop("token", None)
    if token is not None and chosen and settings.source("token") == "argument":
        raise InitializationError(f"pass token= or {next(iter(chosen))}=, not both")
    proxy = _proxy(settings)
    if token is not None:
        if isinstance(token, str):
            settings.checked("token", BearerToken)
        if proxy is None:
            return {"token": token}
        inner: Credentials = BearerToken(token) if isinstance(token, str) else TokenFunction(token)
        return {"credentials": _beside(proxy, inner)}
    details = _details(settings, chosen)
    offered = not chosen and attended and endpoint.tls
    if not (chosen or offered or details):
        return {} if proxy is None else {"credentials": _beside(proxy, None)}
    # Now, so that settings that cannot work are found early.
    login = _Login(settings, {**chosen, **details}, endpoint, network, proxy, attended=attended)
    if chosen:
        found = login()
        if endpoint.tls or login.auth_type == "Passthrough":
            return {"credentials": _beside(proxy, found)}
        on_demand = OnDemand(lambda: found, identity=found, auth_type=login.auth_type)
        return {"credentials": _beside(proxy, on_demand)}
    if offered:
        return {"credentials": _beside(proxy, _IfOffered(login, identity=login.identity, auth_type=login.auth_type))}
    return {} if proxy is None else {"credentials": _beside(proxy, None)}


def _chosen(settings: Settings) -> dict[str, Any]:
    """The token or the ways to log in of the strongest source that names some. Those of weaker sources do not count."""
    ranks = {name: settings.rank(name) for name in ("token", *WAYS) if settings[name] is not None}
    strongest = min(ranks.values(), default=0)
    names = [name for name, rank in ranks.items() if rank == strongest]
    if names == ["auth_type"]:
        needed = _MATERIAL.get(str(settings["auth_type"]).strip().lower(), ())
        nearest = min((ranks[name] for name in needed if name in ranks), default=0)
        names += [name for name in needed if ranks.get(name) == nearest]
    return {name: settings[name] for name in names}


def _details(settings: Settings, chosen: Mapping[str, Any]) -> dict[str, Any]:
    details = {name: value for name in _DETAILS if (value := settings[name]) is not None}
    if "api_key" in chosen and settings.rank("client_id") > settings.rank("api_key"):
        details.pop("client_id", None)  # the key has one in it
    return details


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
        given: dict[str, Any],
        endpoint: Endpoint,
        network: Network | None,
        proxy: Credentials | None,
        *,
        attended: bool,
    ) -> None:
        from .oauth.login_settings import read_login

        arguments = {"interactive": attended, **given, "endpoint": str(endpoint), "network": network}
        try:
            self._login = read_login(arguments)
        except InitializationError as error:
            sources = ((name, settings.source(name)) for name in given)
            shown = "; ".join(f"{name}: {source}" for name, source in sources if source not in ("", "argument"))
            raise InitializationError(f"{error}{f' Set by {shown}.' if shown else ''}") from None
        self._proxy = proxy
        self.auth_type = self._login.auth_type
        self.identity = (self._login.key, proxy)

    def __call__(self) -> Credentials:
        from .login import login_for

        return login_for(self._login, self._proxy)


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
