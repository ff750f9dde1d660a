"""The base of generated client classes, whose methods take and return whole messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from .client import Client
    from .registry import ClientRegistry


class ServiceClient:
    """The base of client classes, one for each service.

    A generated subclass has a blocking method, with an async form `.aio`, for each RPC except those in which the client streams.
    Unlike methods of entities, these methods fill in no fields of a request, not even the client's project and domain, and do
    not page through lists.
    """

    _registry: ClassVar[ClientRegistry]

    def __init__(self, client: Client | None = None) -> None:
        """Create the client of the service.

        Args:
            client: The client for the calls. Default: the current one.

        Raises:
            InitializationError: There is no client.
            TypeError: `client` is not a client.
        """
        self.client = self._registry.resolve(client)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.client.endpoint})"
