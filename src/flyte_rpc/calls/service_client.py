"""The base of generated client classes, whose methods take and return whole messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from .client import Client
    from .registry import ClientRegistry


class ServiceClient:
    """The calls of one service. A generated subclass has a method for each RPC, blocking and with `.aio`.

    Methods of entities fill in requests and page through lists; these do neither. The client's project and domain are not
    filled in.
    """

    _registry: ClassVar[ClientRegistry]

    def __init__(self, client: Client | None = None) -> None:
        """Create the calls.

        Args:
            client: The client for the calls. Default: the current one.

        Raises:
            InitializationError: There is no client.
            TypeError: `client` is not a client.
        """
        self.client = self._registry.resolve(client)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.client.endpoint})"
