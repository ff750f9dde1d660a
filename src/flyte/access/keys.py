"""The settings of a connection: their names in Python, in configuration files and in the environment."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from typing import Any, NamedTuple

_TRUE = frozenset(("true", "yes", "on", "1"))
_FALSE = frozenset(("false", "no", "off", "0"))


def as_text(value: Any) -> str:
    """Text; a number is written out, as file formats turn project `123` into one."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError("must be text")
    return str(value).strip()


def as_truth(value: Any) -> bool:
    """True or false, quoted or not."""
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError("must be true or false")


def as_count(value: Any) -> int:
    """A whole number of at least 0."""
    text = str(value).strip()
    if isinstance(value, bool) or not text.isdecimal():
        raise ValueError("must be a whole number")
    return int(text)


def as_words(value: Any) -> tuple[str, ...]:
    """Texts: a list, a JSON list, or words separated by commas or spaces."""
    listed = _listed(value)
    return tuple(str(value).replace(",", " ").split()) if listed is None else listed


def as_command(value: Any) -> tuple[str, ...]:
    """A command with its arguments: a list, a JSON list, or as in a shell."""
    listed = _listed(value)
    words = tuple(shlex.split(str(value))) if listed is None else listed
    if not words:
        raise ValueError("must name a command")
    return words


def _listed(value: Any) -> tuple[str, ...] | None:
    if isinstance(value, str) and value.lstrip().startswith("["):
        value = json.loads(value)
    if type(value) in (list, tuple):
        return tuple(map(as_text, _items(value)))
    if not isinstance(value, str):
        raise ValueError("must be text or a list")
    return None


def _items(value: Any) -> list[Any]:
    return list(value)


class Key(NamedTuple):
    """One setting."""

    name: str
    """The argument of `flyte.init`."""
    in_file: str
    """`section.key` in a configuration file; empty if it has none there."""
    variables: tuple[str, ...]
    """Environment variables, the first that is set counts."""
    read: Callable[[Any], Any] = as_text
    secret: bool = False


def _key(name: str, in_file: str, *variables: str, read: Callable[[Any], Any] = as_text, secret: bool = False) -> Key:
    if in_file:
        variables = (*variables, "FLYTE_" + in_file.replace(".", "_").upper())
    return Key(name, in_file, variables, read, secret)


KEYS = (
    _key("endpoint", "admin.endpoint", "FLYTE_ENDPOINT"),
    _key("insecure", "admin.insecure", "FLYTE_INSECURE", read=as_truth),
    _key("insecure_skip_verify", "admin.insecureSkipVerify", read=as_truth),
    _key("ca_cert_file_path", "admin.caCertFilePath"),
    _key("http_proxy_url", "admin.httpProxyURL", secret=True),
    _key("auth_type", "admin.authType", "FLYTE_AUTH_TYPE"),
    _key("command", "admin.command", "FLYTE_AUTH_COMMAND", read=as_command),
    _key("proxy_command", "admin.proxyCommand", "FLYTE_AUTH_PROXY_COMMAND", read=as_command),
    _key("client_id", "admin.clientId"),
    _key("client_secret_location", "admin.clientSecretLocation"),
    _key("client_secret_env_var", "admin.clientSecretEnvVar"),
    _key("scopes", "admin.scopes", read=as_words),
    _key("audience", "admin.audience"),
    _key("authorization_header", "admin.authorizationHeader"),
    _key("disable_keyring", "admin.disableKeyring", read=as_truth),
    _key("rpc_retries", "admin.maxRetries", read=as_count),
    _key("org", "task.org", "FLYTE_ORG"),
    _key("project", "task.project", "FLYTE_PROJECT"),
    _key("domain", "task.domain", "FLYTE_DOMAIN"),
    _key("token", "", "FLYTE_TOKEN", secret=True),
    _key("transport", "", "FLYTE_TRANSPORT"),
)
"""All settings that a file or the environment can set."""

BY_NAME = {key.name: key for key in KEYS}
BY_FILE_KEY = {key.in_file: key for key in KEYS if key.in_file}

OTHER_KEYS: dict[str, frozenset[str]] = {
    "admin": frozenset(
        (
            "authorizationServerUrl",
            "defaultOrg",
            "defaultServiceConfig",
            "deviceFlowConfig",
            "maxBackoffDelay",
            "maxMessageSizeBytes",
            "perRetryTimeout",
            "pkceConfig",
            "tokenRefreshWindow",
            "tokenUrl",
            "useAudienceFromAdmin",
            "useAuth",
        )
    ),
    "task": frozenset(),
}
"""Keys of other Flyte tools in these sections, which have no effect here. All other sections belong to other tools."""
