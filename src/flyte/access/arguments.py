"""The arguments of a client that follow from its settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flyte.errors import InitializationError
from flyte_rpc.calls.retry import CALLS
from flyte_rpc.transports.endpoint import Endpoint, parse_endpoint
from flyte_rpc.transports.network.proxies import parse_proxy
from flyte_rpc.transports.network.settings import Network
from flyte_rpc.transports.transport import check_transport

from .settings import OF_NETWORK, Settings
from .ways_in import OF_LOGIN, authentication

_UNION = (".union.ai", ".unionai.cloud")
"""Domains whose hosts are named after the organization that they belong to."""


def client_arguments(
    settings: Settings, *, network: Network | None = None, attended: bool = True, logged_in: bool = False
) -> dict[str, Any]:
    """The arguments of `flyte.Client` for settings.

    Args:
        settings: The settings.
        network: Trust and proxies, in place of those of the settings.
        attended: Whether a person may be asked to log in, unless the settings say so.
        logged_in: Whether the client has credentials already, so that no setting of a log-in counts.

    Raises:
        InitializationError: No endpoint is set, or a variable or file has a value that cannot be used.
        TypeError: An argument has the wrong type.
        ValueError: An argument has a value that cannot be used.
    """
    endpoint, key_org = endpoint_of(settings)
    network = network_of(settings) if network is None else network
    org = settings["org"]
    if org is None:
        org = key_org or _organization(endpoint)
    arguments: dict[str, Any] = {
        "endpoint": str(endpoint),
        "org": org,
        "project": settings["project"],
        "domain": settings["domain"],
        "transport": settings.checked("transport", lambda name: check_transport("auto" if name is None else name)),
        "network": network,
        **({} if logged_in else authentication(settings, endpoint, network, attended=attended)),
    }
    if settings["rpc_retries"] is not None:
        arguments["retry"] = CALLS._replace(attempts=settings["rpc_retries"] + 1)
    return arguments


def endpoint_of(settings: Settings) -> tuple[Endpoint, str]:
    """The endpoint, and the organization of the API key that names it.

    Raises:
        InitializationError: None is set, or a variable or file has one that is not valid.
        ValueError: The argument is not valid.
    """
    given, org = settings["endpoint"], ""
    if settings["api_key"] is not None:
        from .api_key import parse_api_key

        key = parse_api_key(settings["api_key"])
        org = key.org
        # The key's endpoint is used unless an endpoint is set where the key is set, or in a place that overrides it.
        if not given or settings.rank("endpoint") > settings.rank("api_key"):
            return parse_endpoint(key.endpoint, insecure=_insecure(settings, key.endpoint)), org
    if not given:
        raise InitializationError(missing_endpoint(settings))
    insecure = _insecure(settings, given)
    return settings.checked("endpoint", lambda text: parse_endpoint(text, insecure=insecure)), org


def _insecure(settings: Settings, endpoint: str) -> bool | None:
    """A scheme counts more than what a variable or file says."""
    has_scheme = endpoint.lower().startswith(("http://", "https://", "unix://"))
    if has_scheme and settings.source("insecure") != "argument":
        return None
    value: bool | None = settings["insecure"]
    return value


def network_of(settings: Settings) -> Network | None:
    """Trust and proxies; None if nothing is set.

    Raises:
        InitializationError: A file does not exist, or a variable or file has a value that cannot be used.
        ValueError: An argument cannot be used.
    """
    ca_file, certificate, key, skip, proxy = (settings[name] for name in OF_NETWORK)
    # A certificate authority is the stricter choice of the two.
    verify = not skip or bool(ca_file)
    if verify and proxy is None and not (ca_file or certificate or key):
        return None
    if proxy:
        source = settings.source("http_proxy_url")
        parse_proxy(proxy, "http_proxy_url" if source == "argument" else f"http_proxy_url, which is set by {source},")
    for name in OF_NETWORK[:3]:
        if settings[name]:
            _check_file(settings, name)
    if key and not certificate:
        source = settings.source("client_key_file_path")
        where = "" if source == "argument" else f" by {source}"
        raise InitializationError(f"client_key_file_path is set{where}, and client_cert_file_path is not.")
    return Network(
        ca_file=ca_file or None,
        client_certificate=certificate or None,
        client_key=key or None,
        verify=verify,
        proxy=proxy,
    )


def _check_file(settings: Settings, name: str) -> None:
    try:
        Network(ca_file=settings[name])
    except InitializationError:
        source = settings.source(name)
        where = "" if source == "argument" else f", which is set by {source},"
        raise InitializationError(f"{name}={settings[name]!r}{where} is not a file.") from None


def missing_endpoint(settings: Settings) -> str:
    """What to do if no endpoint is set."""
    if settings.file is not None:
        return f"The configuration file {settings.file.path} has no admin.endpoint, and FLYTE_ENDPOINT is not set."
    return (
        "No endpoint is set. Write flyte.init(endpoint='http://host:port'), set FLYTE_ENDPOINT, use a configuration file "
        "with flyte.init_from_config(), or start a local control plane with flyte.devbox.start()."
    )


def _organization(endpoint: Endpoint) -> str:
    """The organization of an endpoint of Union, whose host name begins with it; empty elsewhere."""
    host = endpoint.host.lower()
    return host.split(".")[0] if host.endswith(_UNION) and host.count(".") > 2 - host.endswith(".union.ai") else ""


def exclusive(given: Mapping[str, Any], options: Mapping[str, Any]) -> None:
    """Refuse arguments that say the same as an object that is passed.

    Raises:
        TypeError: There are two for the same.
    """
    for option, names in (("network", OF_NETWORK), ("credentials", OF_LOGIN), ("retry", ("rpc_retries",))):
        both = next((name for name in names if given.get(name) is not None), None)
        if options.get(option) is not None and both:
            raise TypeError(f"pass {option}= or {both}=, not both")
