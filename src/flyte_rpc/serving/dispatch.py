"""One call of one method, whatever protocol carries it: authentication, the handler, the status of what it raises."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext
from typing import Any, NamedTuple, NoReturn, Protocol

from flyte_rpc.calls.metadata import HTTP_HEADERS
from flyte_rpc.calls.rpc import Cardinality, Rpc
from flyte_rpc.status import Status
from flyte_rpc.transports.framing import BadFrame

from .service import Abort, ServerCall, ServiceBase, abort

_log = logging.getLogger("flyte_rpc.server")

NOT_METADATA = HTTP_HEADERS | {"accept", "content-type", "te", "trailer", "user-agent"}
"""Headers of HTTP, which handlers do not see."""

_CLIENT_STREAMS = (Cardinality.CLIENT_STREAM, Cardinality.BIDI)
_ONE_REPLY = (Cardinality.UNARY, Cardinality.CLIENT_STREAM)

Authenticate = Callable[[ServerCall], Awaitable[None] | None]
"""Looks at a call before its request is read; calls `abort(Status.UNAUTHENTICATED, ...)` to turn it away."""


class Disconnected(Exception):
    """The client is gone, so nobody waits for the rest of the call."""


class Method(NamedTuple):
    """A method that a service offers."""

    rpc: Rpc[Any, Any]
    handler: Callable[..., Any]


class Wire(Protocol):
    """The messages of one call, as its protocol carries them."""

    async def read(self) -> Any:
        """The next request; None if the client sends no more.

        Raises:
            BadFrame: The bytes are not framed as the protocol demands, or are too many.
            ValueError: The message cannot be decoded.
        """
        ...

    async def write(self, reply: Any) -> None:
        """Send a reply, as soon as the client takes it."""
        ...


class Dispatcher:
    """The methods of all services, by path."""

    def __init__(self, services: Iterable[ServiceBase], authenticate: Authenticate | None) -> None:
        """Collect the methods.

        Args:
            services: One object per service.
            authenticate: Called before each request is read. None admits everybody.

        Raises:
            ValueError: Two services offer the same method.
        """
        self._authenticate = authenticate
        self.methods: dict[str, Method] = {}
        for service in services:
            for name, rpc in service.RPCS:
                if rpc.path in self.methods:
                    raise ValueError(f"two services offer {rpc.path}")
                self.methods[rpc.path] = Method(rpc, getattr(service, name))

    async def run(self, method: Method, call: ServerCall, wire: Wire) -> None:
        """Call the handler of a method.

        Raises:
            Abort: The call ends with a status other than OK.
            Disconnected: The client is gone.
        """
        if call.deadline is not None and call.deadline <= 0:
            _abort_late()  # a handler that never waits would not be interrupted
        try:
            if self._authenticate is not None:
                verdict = self._authenticate(call)
                if inspect.isawaitable(verdict):
                    await verdict
            await _serve(method, call, wire)
        except (Abort, Disconnected):
            raise
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            raise self._crash(method, call, error) from None  # the handler waited for something that was cancelled
        except Exception as error:
            raise self._crash(method, call, error) from None

    async def run_until(self, deadline: float | None, method: Method, call: ServerCall, wire: Wire) -> None:
        """Call the handler of a method, and cancel it at the deadline.

        Args:
            deadline: Time of the event loop; None for none.
            method: The method.
            call: What the handler may know.
            wire: Its messages.

        Raises:
            Abort: As `run`, or with DEADLINE_EXCEEDED.
            Disconnected: As `run`.
        """
        try:
            async with asyncio.timeout_at(deadline):
                await self.run(method, call, wire)
        except TimeoutError:
            _abort_late()

    @staticmethod
    def _crash(method: Method, call: ServerCall, error: BaseException) -> Abort:
        # The text may name files and values of the server, so the client only gets what to quote when asking.
        _log.error("%s failed (request id %s)", method.rpc.path, call.request_id or "none", exc_info=error)
        hint = f"; its log has the request id {call.request_id}" if call.request_id else ""
        return Abort(Status.INTERNAL, f"the server failed to handle the call{hint}")


def _abort_late() -> NoReturn:
    abort(Status.DEADLINE_EXCEEDED, "the deadline of the call has passed")


async def _serve(method: Method, call: ServerCall, wire: Wire) -> None:
    rpc, handler = method
    scope: AbstractAsyncContextManager[Any] = nullcontext()
    if rpc.cardinality in _CLIENT_STREAMS:
        request: Any = _requests(rpc, wire)
        scope = aclosing(request)
    else:
        request = await _read(rpc, wire)
        if request is None:
            abort(Status.INVALID_ARGUMENT, "the request is missing")
    async with scope:
        if rpc.cardinality in _ONE_REPLY:
            await wire.write(await handler(request, call))
            return
        async with aclosing(handler(request, call)) as replies:
            async for reply in replies:
                await wire.write(reply)


async def _requests(rpc: Rpc[Any, Any], wire: Wire) -> AsyncGenerator[Any, None]:
    while (request := await _read(rpc, wire)) is not None:
        yield request


async def _read(rpc: Rpc[Any, Any], wire: Wire) -> Any:
    try:
        return await wire.read()
    except BadFrame as error:
        abort(Status.RESOURCE_EXHAUSTED if error.too_large else Status.INVALID_ARGUMENT, str(error))
    except ValueError as error:
        abort(Status.INVALID_ARGUMENT, f"the request is not a {rpc.request_type.__name__}: {error}")
