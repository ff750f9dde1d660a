"""A request that another thread can cancel."""

from __future__ import annotations

import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any

_IDLE = 60.0

_current: ContextVar[Transfer | None] = ContextVar("http_transfer", default=None)

current_transfer = _current.get
"""The transfer that this thread works on."""


class TransferCancelledError(Exception):
    """The transfer was cancelled. Not an `OSError`, so that no library takes it for a failure of the network."""


class Transfer:
    """An upload or a download in one thread. `cancel` stops it from another one, even while it waits for the network."""

    def __init__(self, idle: float = _IDLE) -> None:
        """Create a transfer.

        Args:
            idle: The most seconds that the peer may send or accept nothing. Default: 60.
        """
        self.idle = idle
        self._cancelled = threading.Event()
        self._lock = threading.Lock()
        self._socket: Any = None

    @contextmanager
    def active(self) -> Generator[None]:
        """Watch the connection of the request that this thread sends in a `with` block."""
        reset = _current.set(self)
        try:
            yield
        finally:
            _current.reset(reset)

    def cancel(self) -> None:
        """Stop the transfer. Its thread raises `TransferCancelledError` soon."""
        self._cancelled.set()
        with self._lock:
            self._shut_down()

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._cancelled.is_set()

    def check(self) -> None:
        """Raise if the transfer is cancelled.

        Raises:
            TransferCancelledError: It is.
        """
        if self.cancelled:
            raise TransferCancelledError

    def wait(self, seconds: float) -> None:
        """Sleep until the time is over or the transfer is cancelled.

        Raises:
            TransferCancelledError: It is cancelled.
        """
        self._cancelled.wait(seconds)
        self.check()

    def watch(self, connection: Any) -> None:
        """Shut down this socket when the transfer is cancelled.

        Args:
            connection: A socket, or an object with a `socket`, such as TLS within TLS.
        """
        with self._lock:
            self._socket = connection
            if self.cancelled:
                self._shut_down()

    def unwatch(self) -> None:
        """Leave the socket alone, because another transfer may use it."""
        with self._lock:
            self._socket = None

    def _shut_down(self) -> None:
        if self._socket is None:
            return
        # Not the method of a TLS socket, which takes the TLS state from the thread that reads.
        inner = getattr(self._socket, "socket", self._socket)
        with suppress(OSError):  # the peer has closed it
            socket.socket.shutdown(inner, socket.SHUT_RDWR)
