"""The default client of an SDK, and the client of a block."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

from flyte_rpc.errors import InitializationError

from .block import Block, setting
from .client import Client


class ClientRegistry:
    """The current client, for calls without `client=`: the client of the enclosing block, else the default client.

    Every generated package has its own registry, so two SDKs in one process never share a client.
    """

    def __init__(self, name: str) -> None:
        """Create a registry without a default client.

        Args:
            name: Name of the generated package.
        """
        self._default: Client | None = None
        self._of_block: ContextVar[Client | None] = ContextVar(f"{name}_client", default=None)
        self._missing = f"No client is set. Pass client= to this call, or set a default with {name}.registry.registry.set_default()."
        self._discover: Callable[[], Client | None] | None = None

    def configure(self, *, missing: str, discover: Callable[[], Client | None] | None = None) -> None:
        """Configure the registry for an SDK.

        Args:
            missing: The error message when no client is set. It should say how to set one.
            discover: Called when there is no client; it may return one. Default: none.
        """
        self._missing = missing
        self._discover = discover

    @property
    def default(self) -> Client | None:
        """The default client; None if none is set."""
        return self._default

    def set_default(self, client: Client | None) -> None:
        """Set the default client. None removes it."""
        self._default = None if client is None else _checked(client)

    def current(self) -> Client:
        """The client of calls without `client=`.

        Raises:
            InitializationError: No client is set.
        """
        client = self._of_block.get() or self._default
        if client is None and self._discover is not None:
            client = self._discover()
        if client is None:
            raise InitializationError(self._missing)
        return client

    def resolve(self, client: Client | None) -> Client:
        """Return the given client, else the current one.

        Raises:
            InitializationError: Neither is set.
            TypeError: `client` is not a client.
        """
        return self.current() if client is None else _checked(client)

    def use(self, client: Client, *, stacklevel: int = 1) -> Block[Client]:
        """Use a client in a `with` block, in this thread or task and in tasks that it starts.

        Args:
            client: The client.
            stacklevel: The frame that a warning names, which is given if the result is not used with `with`: 1 for the
                caller of this method, 2 for that one's caller.

        Raises:
            TypeError: `client` is not a client.
        """
        _checked(client)
        return Block("use_client(client)", lambda: setting(self._of_block, client, client), stacklevel=stacklevel)


def _checked(value: object) -> Client:
    if not isinstance(value, Client):
        # The message omits the value, which may be a token.
        raise TypeError(f"client takes a Client, not {type(value).__name__}")
    return value
