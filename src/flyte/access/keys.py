"""The settings of a connection: their names in Python, in configuration files and in the environment."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from flyte_rpc.arguments import flag, text, whole

_TRUE = frozenset(("true", "yes", "on", "1"))
_FALSE = frozenset(("false", "no", "off", "0"))
_DIGITS = 9
"""Maximum digits of a whole number. No setting makes sense with more."""


def as_text(value: Any) -> str:
    """Text, as it is written in the file or variable."""
    if not isinstance(value, str):
        raise ValueError("must be text")
    return value.strip()


def as_truth(value: Any) -> bool:
    """True or false, quoted or not."""
    word = value.strip().lower() if isinstance(value, str) else ""
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError("must be true or false")


def as_count(value: Any) -> int:
    """A whole number of at least 0."""
    digits = value.strip() if isinstance(value, str) else ""
    if not digits.isdecimal() or len(digits) > _DIGITS:
        raise ValueError("must be a whole number")
    return int(digits)


def as_words(value: Any) -> tuple[str, ...]:
    """Texts: a list, a JSON list, or words separated by commas or spaces."""
    listed = _listed(value)
    return tuple(as_text(value).replace(",", " ").split()) if listed is None else listed


def as_command(value: Any) -> tuple[str, ...]:
    """A command with its arguments: a list, a JSON list, or as in a shell."""
    listed = _listed(value)
    words = tuple(shlex.split(as_text(value))) if listed is None else listed
    if not words:
        raise ValueError("must name a command")
    return words


def _listed(value: Any) -> tuple[str, ...] | None:
    if isinstance(value, str) and value.lstrip().startswith("["):
        value = json.loads(value)
    if isinstance(value, list):
        return tuple(as_text(item) for item in _items(value))
    if not isinstance(value, str):
        raise ValueError("must be text or a list")
    return None


def _items(value: Any) -> list[Any]:
    return list(value)


def given_text(name: str, value: Any) -> str:
    """Check an argument that takes text."""
    return text(name, value)


def given_path(name: str, value: Any) -> str:
    """Check an argument that takes the path of a file."""
    path = value.__fspath__() if hasattr(value, "__fspath__") else value
    if not isinstance(path, str):
        raise TypeError(f"{name} takes a path, not {type(value).__name__} ({value!r})")
    return path


def given_truth(name: str, value: Any) -> bool:
    """Check an argument that takes True or False."""
    flag(name, value)
    return bool(value)


def given_count(name: str, value: Any) -> int:
    """Check an argument that takes a whole number of at least 0."""
    return whole(name, value, 0)


def given_words(name: str, value: Any) -> tuple[str, ...]:
    """Check an argument that takes a list of texts."""
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
        raise TypeError(f"{name} takes a list of texts, such as {name}=['a', 'b'], not {type(value).__name__}")
    return tuple(text(f"{name}[{n}]", word) for n, word in enumerate(_items(value)))


def given_secret(name: str, value: Any) -> str:
    """Check an argument that takes text which an error must not repeat."""
    if not isinstance(value, str):
        raise TypeError(f"{name} takes text, not {type(value).__name__}")
    return value


def given_anything(name: str, value: Any) -> Any:
    """For an argument that is checked where it is used."""
    return value


class Key(NamedTuple):
    """One setting."""

    name: str
    """The argument of `flyte.init`."""
    in_file: str
    """`section.key` in a configuration file; empty if it has none there."""
    variables: tuple[str, ...]
    """Environment variables, the first that is set counts."""
    read: Callable[[Any], Any] = as_text
    """Converts the value of a variable or file."""
    given: Callable[[str, Any], Any] = given_text
    """Checks the argument."""
    secret: bool = False


_GIVEN: dict[Callable[[Any], Any], Callable[[str, Any], Any]] = {
    as_text: given_text,
    as_truth: given_truth,
    as_count: given_count,
    as_words: given_words,
    as_command: given_words,
}


def _key(
    name: str,
    in_file: str,
    *variables: str,
    read: Callable[[Any], Any] = as_text,
    given: Callable[[str, Any], Any] | None = None,
    secret: bool = False,
) -> Key:
    if in_file:
        variables = (*variables, "FLYTE_" + in_file.replace(".", "_").upper())
    return Key(name, in_file, variables, read, given or (given_secret if secret else _GIVEN[read]), secret)


KEYS = (
    _key("endpoint", "admin.endpoint", "FLYTE_ENDPOINT"),
    _key("insecure", "admin.insecure", "FLYTE_INSECURE", read=as_truth),
    _key("insecure_skip_verify", "admin.insecureSkipVerify", read=as_truth),
    _key("ca_cert_file_path", "admin.caCertFilePath", given=given_path),
    _key("client_cert_file_path", "admin.clientCertFilePath", given=given_path),
    _key("client_key_file_path", "admin.clientKeyFilePath", given=given_path),
    _key("http_proxy_url", "admin.httpProxyURL", secret=True),
    _key("auth_type", "admin.authType", "FLYTE_AUTH_TYPE"),
    _key("command", "admin.command", "FLYTE_AUTH_COMMAND", read=as_command),
    _key("proxy_command", "admin.proxyCommand", "FLYTE_AUTH_PROXY_COMMAND", read=as_command),
    _key("api_key", "", secret=True),
    _key("client_id", "admin.clientId"),
    _key("client_credentials_secret", "", secret=True),
    _key("client_secret_location", "admin.clientSecretLocation", given=given_path),
    _key("client_secret_env_var", "admin.clientSecretEnvVar"),
    _key("scopes", "admin.scopes", read=as_words),
    _key("audience", "admin.audience"),
    _key("authorization_header", "admin.authorizationHeader"),
    _key("auth_client_config", "", given=given_anything),
    _key("subject", ""),
    _key("disable_keyring", "admin.disableKeyring", read=as_truth),
    _key("headless", "", read=as_truth),
    _key("interactive", "", read=as_truth),
    _key("rpc_retries", "admin.maxRetries", read=as_count),
    _key("org", "task.org", "FLYTE_ORG"),
    _key("project", "task.project", "FLYTE_PROJECT"),
    _key("domain", "task.domain", "FLYTE_DOMAIN"),
    _key("token", "", "FLYTE_TOKEN", given=given_anything, secret=True),
    _key("transport", "", "FLYTE_TRANSPORT", given=given_anything),
)
"""All settings that an argument, the environment or a file can set."""

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
