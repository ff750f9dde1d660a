"""The arguments of a client that follow from its settings."""

from __future__ import annotations

from typing import Any

from flyte.errors import InitializationError
from flyte_rpc.calls.retry import CALLS
from flyte_rpc.transports.endpoint import parse_endpoint
from flyte_rpc.transports.network.settings import Network

from .settings import Settings

_UNION = (".union.ai", ".unionai.cloud")
"""Domains whose hosts are named after the organization that they belong to."""


def client_arguments(settings: Settings) -> dict[str, Any]:
    """The arguments of `flyte.Client` for settings.

    Raises:
        InitializationError: No endpoint is set, or a setting cannot be used.
        ValueError: The endpoint is not valid.
    """
    endpoint = settings["endpoint"]
    if not endpoint:
        raise InitializationError(missing_endpoint(settings))
    has_scheme = str(endpoint).lower().startswith(("http://", "https://", "unix://"))
    by_argument = settings.source("insecure") == "argument"
    insecure = settings["insecure"] if by_argument or not has_scheme else None
    arguments: dict[str, Any] = {
        "endpoint": endpoint,
        "insecure": insecure,
        "org": settings["org"] or _organization(endpoint, insecure),
        "project": settings["project"],
        "domain": settings["domain"],
        "token": settings["token"],
        "transport": settings["transport"] or "auto",
        "network": network_of(settings),
    }
    if settings["rpc_retries"] is not None:
        arguments["retry"] = CALLS._replace(attempts=settings["rpc_retries"] + 1)
    return arguments


def network_of(settings: Settings) -> Network | None:
    """Trust and proxies; None if nothing is set."""
    skip, ca_file, proxy = (settings[name] for name in ("insecure_skip_verify", "ca_cert_file_path", "http_proxy_url"))
    # A certificate authority is the stricter choice of the two.
    verify = not skip or bool(ca_file)
    if verify and not ca_file and proxy is None:
        return None
    return Network(ca_file=ca_file or None, verify=verify, proxy=proxy)


def missing_endpoint(settings: Settings) -> str:
    """What to do if no endpoint is set."""
    if settings.file is not None:
        return f"The configuration file {settings.file.path} has no admin.endpoint, and FLYTE_ENDPOINT is not set."
    return (
        "No endpoint is set. Write flyte.init(endpoint='http://host:port'), set FLYTE_ENDPOINT, use a configuration file "
        "with flyte.init_from_config(), or start a local control plane with flyte.devbox.start()."
    )


def _organization(endpoint: str, insecure: bool | None) -> str:
    """The organization of an endpoint of Union, whose host name begins with it; empty elsewhere."""
    host = parse_endpoint(endpoint, insecure=insecure).host.lower()
    return host.split(".")[0] if host.endswith(_UNION) and host.count(".") > 2 - host.endswith(".union.ai") else ""
