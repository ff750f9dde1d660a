"""The settings that a Flyte cluster gives to its pods."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from flyte.errors import InitializationError

from .config_file import config_file
from .keys import as_truth
from .settings import Rank, Setting, Settings
from .ways_in import WAYS

_VARIABLES = {
    "org": "_U_ORG_NAME",
    "project": "FLYTE_INTERNAL_EXECUTION_PROJECT",
    "domain": "FLYTE_INTERNAL_EXECUTION_DOMAIN",
    "endpoint": "_U_EP_OVERRIDE",
    "insecure": "_U_INSECURE",
    "insecure_skip_verify": "_U_INSECURE_SKIP_VERIFY",
}
_API_KEYS = ("_UNION_EAGER_API_KEY", "EAGER_API_KEY")


def cluster_settings(arguments: Mapping[str, Any]) -> Settings:
    """Resolve settings in a pod.

    The cluster's endpoint is the one that its pods reach, so it overrides the endpoint in an API key of the cluster. An API key
    that is an argument goes to its own endpoint, unless another argument names one.

    Args:
        arguments: Arguments by name. None stands for an omitted one.

    Raises:
        InitializationError: A variable or file has a value that cannot be used.
    """
    named = next((value for name in ("UCTL_CONFIG", "FLYTECTL_CONFIG") if (value := os.environ.get(name))), None)
    file = None if named is None else config_file(named)
    platform = {name: setting for name, variable in _VARIABLES.items() if (setting := _from(name, variable))}
    if all(arguments.get(name) is None for name in (*WAYS, "token")):
        key = next(
            (Setting(value, name, Rank.PLATFORM) for name in _API_KEYS if (value := os.environ.get(name, "").strip())),
            None,
        )
        if key is not None:
            platform["api_key"] = key
    return Settings(arguments, file, platform)


def passthrough_settings(arguments: Mapping[str, Any]) -> Settings:
    """Resolve settings of a client that sends the credentials of its callers."""
    platform = {"endpoint": found} if (found := _from("endpoint", _VARIABLES["endpoint"])) else {}
    return Settings({**arguments, "auth_type": "Passthrough"}, None, platform)


def _from(name: str, variable: str) -> Setting | None:
    value = os.environ.get(variable, "").strip()
    if not value:
        return None
    if not name.startswith("insecure"):
        return Setting(value, variable, Rank.PLATFORM)
    try:
        return Setting(as_truth(value), variable, Rank.PLATFORM)
    except ValueError:
        raise InitializationError(
            f"The environment variable {variable} is {value!r}; it must be true or false."
        ) from None
