"""The arguments of a log-in, checked."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypedDict, cast

import attrs

from flyte.access.api_key import parse_api_key
from flyte.access.keys import given_path, given_secret, given_text, given_truth, given_words
from flyte.errors import InitializationError
from flyte_rpc.auth.server import AuthServer
from flyte_rpc.auth.storage.store import Identity
from flyte_rpc.calls.metadata import checked
from flyte_rpc.transports.endpoint import Endpoint, parse_endpoint
from flyte_rpc.transports.network.settings import Network

from .client_secret import ClientSecret

AUTH_TYPES = ("Pkce", "DeviceFlow", "ClientSecret", "ExternalCommand", "Passthrough")
"""The values of `auth_type`."""

INTERACTIVE = ("Pkce", "DeviceFlow")
"""Those in which a person takes part."""

_SECRETS = ("client_credentials_secret", "client_secret_location", "client_secret_env_var")

_CHECKS = {
    "auth_type": given_text,
    "endpoint": given_text,
    "insecure": given_truth,
    "api_key": given_secret,
    "client_id": given_text,
    "client_credentials_secret": given_secret,
    "client_secret_location": given_path,
    "client_secret_env_var": given_text,
    "scopes": given_words,
    "audience": given_text,
    "redirect_uri": given_text,
    "authorization_header": given_text,
    "subject": given_text,
    "disable_keyring": given_truth,
    "headless": given_truth,
    "interactive": given_truth,
}


class LoginArguments(TypedDict, total=False):
    """Arguments of `flyte.access.login.credentials_for`."""

    endpoint: str
    insecure: bool | None
    network: Network | None
    command: Sequence[str] | None
    proxy_command: Sequence[str] | None
    api_key: str | None
    client_id: str | None
    client_credentials_secret: str | None
    client_secret_location: str | os.PathLike[str] | None
    client_secret_env_var: str | None
    scopes: Sequence[str] | None
    audience: str | None
    redirect_uri: str | None
    authorization_header: str | None
    auth_client_config: object
    subject: str | None
    disable_keyring: bool
    headless: bool
    interactive: bool


@attrs.frozen(kw_only=True)
class LoginSettings:
    """A log-in that can be set up."""

    auth_type: str
    endpoint: Endpoint | None = None
    """The control plane; None where the log-in does not depend on it."""
    network: Network = attrs.field(factory=Network)
    command: tuple[str, ...] = attrs.field(default=(), repr=False)
    header: str | None = None
    """The request header of a command's token."""
    secret: ClientSecret = attrs.field(factory=ClientSecret)
    overrides: Mapping[str, Any] = attrs.field(factory=dict[str, Any])
    """Fields of `AuthServer`, in place of what the control plane says."""
    subject: str = ""
    disable_keyring: bool = False
    headless: bool = False
    interactive: bool = True

    @property
    def identity(self) -> Identity:
        """Whose tokens the log-in yields."""
        overrides = dict(self.overrides)
        client_id, scopes, audience = (overrides.pop(name, "") for name in ("client_id", "scopes", "audience"))
        server = tuple(sorted(overrides.items()))
        return Identity(str(self.endpoint), self.auth_type, client_id, tuple(scopes), audience, self.subject, server)

    @property
    def owner(self) -> tuple[Any, ...]:
        """Whose tokens they are, also of log-ins whose tokens are never stored."""
        if self.auth_type == "ExternalCommand":
            return ("command", self.command, self.header)
        return self.identity

    @property
    def key(self) -> tuple[Any, ...]:
        """Log-ins with the same key share a session. It repeats no secret."""
        options = (self.disable_keyring, self.headless, self.interactive)
        return (self.owner, self.auth_type, self.network, *options, *self.secret.digest)


def read_login(arguments: Mapping[str, Any]) -> LoginSettings:
    """Check the arguments of a log-in.

    Args:
        arguments: Arguments of `credentials_for` by name, but for `proxy_command`. None stands for an omitted one.

    Raises:
        InitializationError: An argument is missing or empty, or arguments contradict each other.
        TypeError: An argument has the wrong type.
        ValueError: The endpoint is not valid.
    """
    given = {name: value for name, value in arguments.items() if value is not None}
    for name, check in _CHECKS.items():
        if name in given:
            given[name] = check(name, given[name])
    network = given.get("network", Network())
    if not isinstance(network, Network):
        raise TypeError(f"network takes flyte_rpc's Network, not {type(network).__name__}")
    for name in ("client_id", *_SECRETS):
        if name in given and not given[name].strip():
            raise wrong(
                f"{name} is empty; omit it, or check where its value comes from, such as a variable that is not set"
            )
    if "command" in given:
        given["command"] = command_words("command", given["command"])
    auth_type = _auth_type(given)
    header = _header_name(given.get("authorization_header"))
    configured = _configured(given.get("auth_client_config"))
    if auth_type == "Passthrough":
        return LoginSettings(auth_type=auth_type)
    if auth_type == "ExternalCommand":
        return LoginSettings(auth_type=auth_type, command=given["command"], header=header)
    return _oauth(auth_type, given, header, configured, network)


def _oauth(
    auth_type: str, given: dict[str, Any], header: str | None, configured: dict[str, Any], network: Network
) -> LoginSettings:
    endpoint = given.get("endpoint", "")
    if "api_key" in given:
        key = parse_api_key(given["api_key"])
        endpoint = endpoint or key.endpoint
        given |= {"client_id": key.client_id, "client_credentials_secret": key.client_secret}
    if auth_type == "ClientSecret" and not (given.get("client_id") or configured.get("client_id")):
        raise wrong("auth_type='ClientSecret' needs client_id='...'")
    if not endpoint:
        raise wrong(f"auth_type={auth_type!r} needs an endpoint; write endpoint='https://host'")
    names = ("client_id", "scopes", "audience", "redirect_uri")
    overrides = configured | {name: given[name] for name in names if name in given}
    if header is not None:
        overrides["header"] = header
    return LoginSettings(
        auth_type=auth_type,
        endpoint=parse_endpoint(endpoint, insecure=given.get("insecure")),
        network=network,
        secret=ClientSecret(
            value=given.get("client_credentials_secret", ""),
            location=given.get("client_secret_location", ""),
            variable=given.get("client_secret_env_var", ""),
        ),
        overrides=overrides,
        **{name: given[name] for name in ("subject", "disable_keyring", "headless", "interactive") if name in given},
    )


def _auth_type(given: Mapping[str, Any]) -> str:
    """The way to log in that the arguments ask for."""
    secrets = [name for name in ("api_key", *_SECRETS) if name in given]
    if "api_key" in given and ("client_id" in given or len(secrets) > 1):
        other = secrets[1] if len(secrets) > 1 else "client_id"
        raise wrong(f"api_key has a client id and a secret in it; omit {other}")
    named = given.get("auth_type")
    if named is None:
        found = "ClientSecret" if secrets else "ExternalCommand" if "command" in given else "Pkce"
    else:
        found = next((name for name in AUTH_TYPES if name.lower() == named.strip().lower()), "")
        if not found:
            choices = ", ".join(f"'{name}'" for name in AUTH_TYPES)
            raise wrong(f"auth_type={named!r} is not a way to log in; choose one of {choices}")
    if secrets and found in INTERACTIVE:
        found = "ClientSecret"  # as other Flyte tools do: a file may name the default beside a secret
    if len(secrets) > 1:
        raise wrong(f"{' and '.join(secrets)} are set; keep one of them")
    if secrets and found != "ClientSecret":
        raise wrong(f"auth_type={found!r} uses no secret; omit {secrets[0]}, or write auth_type='ClientSecret'")
    if "command" in given and found != "ExternalCommand":
        raise wrong(f"auth_type={found!r} runs no command; omit command, or write auth_type='ExternalCommand'")
    if found == "ClientSecret" and not secrets:
        raise wrong(
            "auth_type='ClientSecret' needs a secret; write client_secret_env_var='MY_SECRET', client_secret_location='/path' "
            "or client_credentials_secret=..."
        )
    if found == "ExternalCommand" and "command" not in given:
        raise wrong("auth_type='ExternalCommand' needs a command; write command=['my-program', 'print-token']")
    return found


def _configured(config: object) -> dict[str, Any]:
    """The fields of the authorization server that `auth_client_config` names."""
    if config is None:
        return {}
    names = {field.name: field.name for field in attrs.fields(AuthServer)} | {"header": "header_key"}
    found: dict[str, Any] = {}
    for name, attribute in names.items():
        value: Any = (
            cast("Mapping[str, Any]", config).get(attribute)
            if isinstance(config, Mapping)
            else getattr(config, attribute, None)
        )
        if value is None or value == "":
            continue
        texts = _several(value) if name == "scopes" else [value]
        if not all(isinstance(text, str) for text in texts):
            raise wrong(f"auth_client_config has a value of {attribute} that is not text")
        found[name] = tuple(texts) if name == "scopes" else _header_name(value) if name == "header" else value
    if not found:
        raise wrong("auth_client_config has none of the attributes that describe an authorization server")
    return found


def _several(value: Any) -> list[Any]:
    several = isinstance(value, Collection) and not isinstance(value, (str, bytes))
    return _items(value) if several else [value]


def _items(value: Any) -> list[Any]:
    return list(value)


def command_words(argument: str, command: Any) -> tuple[str, ...]:
    """Check a command.

    Raises:
        InitializationError: The value is not a list of texts that begins with a program.
    """
    if isinstance(command, str):
        raise wrong(f"{argument} takes a list, such as {argument}=['my-program', 'print-token'], and not one text")
    words = _items(command) if isinstance(command, Sequence) else []
    if not words or not all(isinstance(word, str) for word in words) or not words[0].strip():
        raise wrong(f"{argument} takes a list of texts that begins with a program")
    return tuple(words)


def _header_name(name: str | None) -> str | None:
    if not name:
        return None
    try:
        checked([(name.lower(), "x")], called="authorization_header", ours=())
    except ValueError as error:
        raise wrong(str(error)) from None
    return name.lower()


def wrong(what: str) -> InitializationError:
    """The error for settings that cannot work."""
    return InitializationError(f"The log-in cannot be set up: {what}.")
