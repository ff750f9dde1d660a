"""The checks of a connection, from its settings to an upload link."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

from flyte._client import Client
from flyte.access.arguments import client_arguments
from flyte.access.settings import Settings
from flyte.errors import NotFoundError, PermissionDeniedError, UnauthenticatedError, UnimplementedError
from flyte.remote import Project, Run, User
from flyte_api.messages.flyteidl2.dataproxy.dataproxy_service import CreateUploadLocationRequest
from flyte_api.services.flyteidl2.dataproxy.data_proxy_service import DataProxyService
from flyte_rpc.calls import call_path
from flyte_rpc.errors import EndpointError, RpcError, SdkError
from flyte_rpc.redaction import redact
from flyte_rpc.transports.endpoint import Endpoint, parse_endpoint
from flyte_rpc.transports.network.settings import Network

from . import network
from .report import FAILED, PASSED, SKIPPED, Failed, Result, Skipped

_CHECK = Callable[[], Awaitable[str]]
_NEEDED = frozenset(("proxy", "name", "connection", "TLS", "calls", "log-in"))
"""Checks without which no later one can succeed."""


async def diagnose(settings: Settings, timeout: float) -> AsyncGenerator[Result, None]:
    """Check a connection step by step.

    Args:
        settings: The settings of the connection.
        timeout: Seconds for each call.

    Yields:
        One result per check. After a fault, the checks that depend on it are skipped.
    """
    try:
        arguments = client_arguments(settings)
        endpoint = parse_endpoint(str(arguments["endpoint"]))
        client = Client.from_settings(settings, timeout=timeout)
        # Whether the server answers at all must not depend on a log-in.
        plain: dict[str, Any] = {name: arguments.get(name) for name in ("token", "transport", "network")}
        anonymous = Client(arguments["endpoint"], timeout=timeout, **plain)
    except (SdkError, ValueError, TypeError) as error:
        yield Result("settings", FAILED, redact(str(error)), "", 0.0)
        return
    yield Result("settings", PASSED, f"the endpoint is {endpoint}", "", 0.0)
    async with client, anonymous:
        broken = False
        for name, check in _checks(client, anonymous, endpoint, arguments["network"] or Network()):
            if broken:
                yield Result(name, SKIPPED, "because of the failure above", "", 0.0)
                continue
            result = await _run(name, check)
            broken = result.outcome == FAILED and name in _NEEDED
            yield result


def _checks(client: Client, anonymous: Client, endpoint: Endpoint, settings: Network) -> list[tuple[str, _CHECK]]:
    async def proxy() -> str:
        found = settings.proxy_of(endpoint)
        return "none" if found is None else f"{found.address}{' with credentials' if found.authorization else ''}"

    async def name() -> str:
        return await network.resolve(endpoint, settings.proxy_of(endpoint))

    return [
        ("proxy", proxy),
        ("name", name),
        ("connection", lambda: network.connect(endpoint, settings)),
        ("TLS", lambda: network.handshake(endpoint, settings)),
        ("calls", lambda: _calls(anonymous)),
        ("log-in", lambda: _identity(client)),
        ("project", lambda: _project(client)),
        ("listing", lambda: _listing(client)),
        ("upload link", lambda: _upload(client)),
    ]


async def _run(name: str, check: _CHECK) -> Result:
    started = time.perf_counter()

    def result(outcome: str, detail: str, remedy: str = "") -> Result:
        return Result(name, outcome, redact(detail), redact(remedy), time.perf_counter() - started)

    try:
        return result(PASSED, await check())
    except Skipped as reason:
        return result(SKIPPED, str(reason))
    except Failed as failure:
        return result(FAILED, failure.what, failure.remedy)
    except RpcError as error:
        noted = f" (request id {error.request_id})" if error.request_id else ""
        return result(FAILED, f"{error.status.name}: {error.message or 'no message'}{noted}", error.hint)
    except SdkError as error:
        return result(FAILED, str(error))


async def _calls(client: Client) -> str:
    """Make a call. Whatever the control plane answers, it has answered."""
    refused = ""
    try:
        await Project.listall(limit=1, client=client).first.aio()
    except EndpointError:
        raise
    except RpcError as error:
        if not isinstance(error, (UnauthenticatedError, UnimplementedError, PermissionDeniedError)):
            raise
        refused = f"the server answers {error.status.name}"
    return _transport(client) or refused


def _transport(client: Client) -> str:
    """What the transport is; empty before a call has succeeded."""
    return str(getattr(client.transport(), "description", "a transport of your own"))


async def _identity(client: Client) -> str:
    await Project.listall(limit=1, client=client).first.aio()  # fails if the server wants other credentials
    try:
        user = await User.get.aio(client=client)
    except (UnimplementedError, UnauthenticatedError):
        raise Skipped(f"the server accepts the calls ({_transport(client)}), but does not say who you are") from None
    shown = user.name or user.email or user.preferred_username or user.subject
    if not shown and client.settings.credentials is None:
        return "anonymous"
    return f"you are {shown}" if shown else "the server accepts the credentials"


async def _project(client: Client) -> str:
    if not client.project:
        raise Skipped("no default project is set")
    try:
        project = await Project.get.aio(client.project, client=client)
    except NotFoundError:
        hint = "Check project, or list what exists with flyte.remote.Project.listall()."
        raise Failed(f"there is no project {client.project!r}", hint) from None
    domains = [domain.id for domain in project.pb2.domains]
    if client.domain and domains and client.domain not in domains:
        raise Failed(f"{client.project} has no domain {client.domain!r}", f"Its domains are {', '.join(domains)}.")
    return f"{client.project}/{client.domain or '(no domain set)'} exists"


async def _listing(client: Client) -> str:
    if not (client.project and client.domain):
        raise Skipped("no default project and domain are set")
    run = await Run.listall(limit=1, client=client).first.aio()
    return "no runs" if run is None else f"the newest run is {run.name}"


async def _upload(client: Client) -> str:
    if not (client.project and client.domain):
        raise Skipped("no default project and domain are set")
    request = CreateUploadLocationRequest(
        org=client.org,
        project=client.project,
        domain=client.domain,
        filename="doctor",
        filename_root="flyte-doctor",
    )
    reply = await call_path.unary(client, DataProxyService.CREATE_UPLOAD_LOCATION, request)
    return f"given, for {reply.native_url.partition('://')[0] or 'an unknown'} storage; nothing was uploaded"
