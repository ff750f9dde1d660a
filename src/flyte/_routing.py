"""Routing of calls about data, which a control plane may delegate to the cluster that has the data."""

from __future__ import annotations

import asyncio
import time
from typing import NamedTuple
from weakref import WeakKeyDictionary

from flyte_api.messages.flyteidl2.cluster.payload import SelectClusterRequest, SelectClusterResponse
from flyte_api.messages.flyteidl2.cluster.payload import SelectClusterRequestOperation as Operation
from flyte_api.services.flyteidl2.cluster.cluster_service import ClusterService
from flyte_rpc.calls.call_path import unary
from flyte_rpc.calls.client import Client
from flyte_rpc.calls.metadata import Pairs, added
from flyte_rpc.calls.options import CallOptions, before_deadline, options, unbounded
from flyte_rpc.codec.message import Message
from flyte_rpc.transports.endpoint import Endpoint, is_loopback, parse_endpoint

from .errors import DecodeError, InitializationError, UnimplementedError

__all__ = ["Operation", "route"]

_MOST = 1024
"""Maximum number of cached answers per client."""
_FRESH = 600.0
"""Seconds for which an answer is valid, because clusters come and go."""

_RESOURCES = {
    "flyteidl2.common.OrgIdentifier": "org_id",
    "flyteidl2.common.DomainIdentifier": "domain_id",
    "flyteidl2.common.ProjectIdentifier": "project_id",
    "flyteidl2.common.ActionIdentifier": "action_id",
    "flyteidl2.common.ActionAttemptIdentifier": "action_attempt_id",
    "flyteidl2.common.ClusterPoolIdentifier": "cluster_pool_id",
    "flyteidl2.common.ClusterIdentifier": "cluster_id",
    "flyteidl2.common.QueueIdentifier": "queue_id",
    "flyteidl2.task.TaskIdentifier": "task_id",
    "flyteidl2.app.Identifier": "app_id",
}
"""Message names of resources and their fields in the request. Names avoid importing the messages."""

_Key = tuple[int, str, bytes]
_Question = tuple[_Key, Pairs, CallOptions]
_ALL = ""
"""In place of a specific resource."""


class _Answer(NamedTuple):
    endpoint: Endpoint | None
    """The data plane's endpoint; None for the control plane itself."""
    until: float


class _Routes:
    """The answers of one control plane. A client refers to its routes, not vice versa."""

    def __init__(self) -> None:
        self._answers: dict[_Key, _Answer] = {}
        self._clients: dict[Endpoint, Client] = {}
        self._asking: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[_Question, asyncio.Task[_Answer]]]
        self._asking = WeakKeyDictionary()

    def client_at(self, client: Client, endpoint: Endpoint) -> Client:
        """Return the shared client for an endpoint."""
        return self._clients.get(endpoint) or self._clients.setdefault(endpoint, client.at(endpoint))

    def find(self, key: _Key) -> _Answer | None:
        """Return a valid answer. It moves to the end, so that the least recently used answers are dropped first."""
        found = self._answers.pop(key, None)
        if found is None or found.until <= time.monotonic():
            return None
        self._answers[key] = found
        return found

    def keep(self, key: _Key, endpoint: Endpoint | None) -> _Answer:
        """Store an answer, and drop the least recently used ones."""
        answer = self._answers[key] = _Answer(endpoint, time.monotonic() + _FRESH)
        # Threads share this without a lock, which a fork could leave locked. A lost answer only costs another request.
        for oldest in list(self._answers)[:-_MOST]:
            self._answers.pop(oldest, None)
        return answer

    async def ask(self, client: Client, key: _Key, request: SelectClusterRequest) -> _Answer:
        """Ask the server. Concurrent equal questions with the same identity and options on this event loop share one request."""
        asking = self._asking.setdefault(asyncio.get_running_loop(), {})
        question = (key, added(), options())
        task = asking.get(question)
        if task is None:
            with unbounded(keep_options=True):  # callers with other deadlines share the request
                task = asking[question] = asyncio.create_task(self._ask(client, key, request))
            task.add_done_callback(lambda done: (asking.pop(question), done.cancelled() or done.exception()))
        # Cancelling one caller does not cancel the request of the others.
        async with before_deadline("the search for the cluster that has the data"):
            return await asyncio.shield(task)

    async def _ask(self, client: Client, key: _Key, request: SelectClusterRequest) -> _Answer:
        rpc = ClusterService.SELECT_CLUSTER
        try:
            reply = await unary(client, rpc, request)
        except UnimplementedError:
            return self.keep((0, _ALL, b""), None)
        endpoint = destination(client, reply)
        if reply.cluster_endpoint and not reply.cluster.strip():
            # Servers without named clusters, such as open-source ones, serve all data themselves.
            return self.keep((key[0], _ALL, b""), None)
        return self.keep(key, endpoint)


_routes: WeakKeyDictionary[Client, _Routes] = WeakKeyDictionary()


async def route(client: Client, operation: Operation, resource: Message) -> Client:
    """Return the client for a call about data.

    Args:
        client: The client of the control plane.
        operation: The operation of the call.
        resource: Identifier of the resource: a project, an action, a task and so on.

    Returns:
        The client itself, if the control plane serves the data. Otherwise a client for the endpoint of the cluster, with
        the same identity and settings; it is closed together with `client`. Answers are cached for ten minutes, even if
        the server has no `ClusterService` or names no cluster.

    Raises:
        InitializationError: The credentials would be sent to the endpoint in cleartext: clients of `https` endpoints use only
            `https` endpoints, and clients of this machine use cleartext only to this machine.
        RpcError: The call failed; the subclass says how.

    Calls `ClusterService.SelectCluster`.
    """
    if client.closed:
        return client  # calls of the closed client raise; the data plane's client may still be open
    routes = _routes.setdefault(client, _Routes())
    key = (int(operation), resource.FULL_NAME, bytes(resource))
    for known in (key, (key[0], _ALL, b""), (0, _ALL, b"")):
        answer = routes.find(known)
        if answer is not None:
            break
    else:
        request = SelectClusterRequest(operation=operation, **{_RESOURCES[resource.FULL_NAME]: resource})  # type: ignore[arg-type]  # one of its fields
        answer = await routes.ask(client, key, request)
    return client if answer.endpoint is None else routes.client_at(client, answer.endpoint)


def destination(client: Client, reply: SelectClusterResponse) -> Endpoint | None:
    """Return the endpoint in an answer; None for the control plane itself."""
    text = reply.cluster_endpoint.strip()
    if not text or not reply.cluster.strip():
        # Without a cluster the server means itself. The address is the one that it was reached at as it sees it, which
        # differs from the client's behind a proxy, and may not be reachable from here.
        return None
    own = parse_endpoint(client.endpoint)
    try:
        scheme = text.partition("://")[0].lower()
        there = parse_endpoint(text, insecure=None if scheme in ("http", "https") else not own.tls)
    except ValueError as cause:
        error = DecodeError(f"the server names a cluster endpoint that cannot be used: {cause}")
        error.method, error.endpoint = ClusterService.SELECT_CLUSTER.path.lstrip("/"), client.endpoint
        raise error from None
    if there.host.lower() == own.host.lower():
        # A server behind a proxy that terminates TLS believes that it is called in cleartext.
        behind_proxy = own.tls and not there.tls and there.port in (own.port, 80)
        if there.port == own.port or behind_proxy:
            return None
    if not there.tls and (own.tls or (is_loopback(own.host) and not is_loopback(there.host))):
        raise InitializationError(
            f"{client.endpoint} has data at {there}, where the credentials would be sent in cleartext, so the call was "
            "not made. Configure the control plane to return an https:// endpoint."
        )
    return there
