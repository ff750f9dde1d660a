"""Checks of how transports and streaming calls are used. They raise before anything is sent."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from math import inf
from typing import TypeVar

from .transport import StreamingCall

_PATH = re.compile(r"/[!-~]+")
"""Printable ASCII without spaces, which cannot end a request line."""

T = TypeVar("T")


def check_call(loop: asyncio.AbstractEventLoop, path: str, timeout: float | None) -> None:
    """Check the arguments of a call before anything is sent.

    Args:
        loop: The event loop of the transport.
        path: `/package.Service/Method`.
        timeout: Seconds; None for no end.

    Raises:
        RuntimeError: The call is made from another event loop.
        TypeError: `timeout` is not a number.
        ValueError: `path` is not the path of a method, or `timeout` is not positive and finite.
    """
    _check_loop(loop)
    if not isinstance(path, str) or not _PATH.fullmatch(path):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ValueError(f"path={path!r} is not the path of a method. Write /package.Service/Method.")
    if timeout is None:
        return
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"timeout takes a number of seconds, not {type(timeout).__name__} ({timeout!r})")
    if not 0 < timeout < inf:
        raise ValueError(f"timeout is {timeout!r}; it must be a positive, finite number of seconds")


def _check_loop(loop: asyncio.AbstractEventLoop) -> None:
    if asyncio.get_running_loop() is not loop:
        raise RuntimeError(
            "this connection belongs to another event loop. Create a transport on each event loop, or share a Client, "
            "which connects once for each."
        )


class CheckedStream:
    """A streaming call that rejects misuse: after its block was left, on another event loop, or by two tasks at once."""

    def __init__(self, call: StreamingCall, loop: asyncio.AbstractEventLoop) -> None:
        """Wrap a call.

        Args:
            call: The call of a transport.
            loop: The event loop of the transport.
        """
        self._call = call
        self._loop = loop
        self._ended = False
        self._left = False
        self._sending: asyncio.Timeout | None = None
        self._receiving: asyncio.Timeout | None = None

    async def send(self, message: bytes) -> bool:
        self._check()
        if self._ended:
            raise RuntimeError("no message can be sent after end()")
        return await self._send(self._call.send, message)

    async def end(self) -> None:
        self._check()
        if not self._ended:
            self._ended = True
            await self._send(self._call.end)

    async def receive(self) -> bytes | None:
        self._check()
        if self._receiving is not None:
            raise RuntimeError(
                "another task is waiting in receive() of this call. Receive in one task, and pass the replies on through "
                "an asyncio.Queue."
            )
        self._receiving = scope = asyncio.timeout(None)
        try:
            return await self._within(scope, self._call.receive())
        finally:
            self._receiving = None

    def leave(self) -> None:
        """Note that the block of the call was left. Tasks that still wait get a RuntimeError."""
        self._left = True
        for scope in (self._sending, self._receiving):
            if scope is not None and not scope.expired():
                scope.reschedule(self._loop.time())

    async def _send(self, step: Callable[..., Awaitable[T]], *arguments: bytes) -> T:
        if self._sending is not None:
            raise RuntimeError(
                "another task is sending on this call. Send in one task, or hold an asyncio.Lock around send() and end()."
            )
        self._sending = scope = asyncio.timeout(None)
        try:
            return await self._within(scope, step(*arguments))
        finally:
            self._sending = None

    async def _within(self, scope: asyncio.Timeout, step: Awaitable[T]) -> T:
        try:
            async with scope:
                return await step
        except TimeoutError:
            if not scope.expired():
                raise
            raise _left_error() from None

    def _check(self) -> None:
        _check_loop(self._loop)
        if self._left:
            raise _left_error()


def _left_error() -> RuntimeError:
    return RuntimeError("the block of this call was left, which ended the call. Use it inside its `async with` block.")
