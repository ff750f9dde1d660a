"""HTTP for files, with the trust and the proxies of a client."""

from __future__ import annotations

from flyte._client import current_client
from flyte.errors import InitializationError
from flyte_rpc.calls.client import Client
from flyte_rpc.http.streaming import StreamingClient
from flyte_rpc.transports.network.settings import Network


def streaming_client(client: Client | None, *, connections: int = 1) -> StreamingClient:
    """Return an HTTP client.

    Args:
        client: Whose certificates and proxies to use. Default: the current client's. Without one, the system's trust store
            and the proxies of the environment.
        connections: How many connections to a host stay open.
    """
    if client is None:
        try:
            client = current_client()
        except InitializationError:
            # Files on web servers can be read without a control plane.
            return StreamingClient(Network(), connections=connections)
    if not isinstance(client, Client):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"client takes a flyte.Client, not {type(client).__name__}")
    network = client.settings.network or Network()
    return StreamingClient(network, user_agent=client.user_agent, connections=connections)
