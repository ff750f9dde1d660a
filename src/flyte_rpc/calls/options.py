"""Options of calls: those of a `with` block, and the deadline of a method that makes several calls."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator, Iterable
from contextlib import aclosing, asynccontextmanager, contextmanager, nullcontext
from contextvars import ContextVar
from datetime import timedelta
from functools import wraps
from typing import Any, NamedTuple, TypeVar, cast

from flyte_rpc.arguments import seconds
from flyte_rpc.errors import DeadlineExceededError, RpcError

from .block import Block, Entered
from .metadata import Pairs, added, adding, checked
from .retry import Backoff, check_backoff

A = TypeVar("A")
B = TypeVar("B")
F = TypeVar("F", bound=Callable[..., Coroutine[Any, Any, Any]])
T = TypeVar("T")


class CallOptions(NamedTuple):
    """The options of the enclosing blocks. None leaves an option to the client."""

    timeout: float | None = None
    retry: Backoff | None = None

    def over(self, outer: CallOptions) -> CallOptions:
        """Return these options, completed with those of an outer block."""
        return CallOptions(
            outer.timeout if self.timeout is None else self.timeout, outer.retry if self.retry is None else self.retry
        )


_NONE = CallOptions()
_options: ContextVar[CallOptions] = ContextVar("rpc_call_options", default=_NONE)

options = _options.get
"""Return the options of the enclosing blocks."""


def call_options(
    *,
    timeout: float | timedelta | None = None,
    retry: Backoff | None = None,
    metadata: Iterable[tuple[str, str]] = (),
) -> Block[None]:
    """Set options of all calls in a `with` block, for code that does not pass them on.

    They apply in this thread or task and in tasks that it starts, also to calls that a listing, watch or log makes that is
    created in the block, wherever it is iterated. The argument of a method overrides a block, an inner block overrides the
    same option of an outer one, and a block overrides the client.

    Args:
        timeout: Maximum seconds per call, retries included, in place of the client's. A listing makes a call per page.
            Streams and waits take the `timeout=` of their own methods.
        retry: Attempts and delays of calls that are safe to retry.
        metadata: Additional request headers: pairs of a lower-case name and a printable ASCII value. They are added to
            those of the client and of outer blocks, and replace the same names.

    Raises:
        TypeError: An option has the wrong type.
        ValueError: An option is unusable.
    """
    given = CallOptions(
        None if timeout is None else seconds("timeout", timeout), None if retry is None else check_backoff(retry)
    )
    pairs = checked(metadata, called="call_options metadata")

    def enter() -> Entered[None]:
        restore = _setting(given, pairs)
        restore.__enter__()
        return None, lambda: restore.__exit__(None, None, None)

    return Block("call_options(...)", enter)


@contextmanager
def _setting(given: CallOptions, pairs: Pairs) -> Generator[None]:
    reset = _options.set(given.over(_options.get()))
    try:
        with adding(pairs) if pairs else nullcontext():
            yield
    finally:
        _options.reset(reset)


def carrying(function: Callable[[A, B], Awaitable[T]]) -> Callable[[A, B], Awaitable[T]]:
    """Wrap a function so that its calls have the options and headers of the current blocks, wherever it is called."""
    given, pairs = _options.get(), added()
    if not pairs and given == _NONE:
        return function

    async def call(first: A, second: B) -> T:
        with _setting(given, pairs):
            return await function(first, second)

    return call


def carrying_stream(source: Callable[[], AsyncGenerator[T, None]]) -> Callable[[], AsyncGenerator[T, None]]:
    """Wrap a stream so that it has the options and headers of the current blocks when it opens and reopens, wherever it is
    read.
    """
    given, pairs = _options.get(), added()
    if not pairs and given == _NONE:
        return source

    async def items() -> AsyncGenerator[T, None]:
        async with aclosing(source()) as found:
            while True:
                # Set them per item: between two items the context belongs to the reader.
                with _setting(given, pairs):
                    try:
                        item = await anext(found)
                    except StopAsyncIteration:
                        return
                yield item

    return items


class Deadline:
    """The end of the time of a call, or of a method that makes several calls.

    Time that is spent on credentials is added to it, because a person may have to log in.
    """

    __slots__ = ("_added_until", "_end", "_outer", "_timeout")

    def __init__(self, timeout: float, outer: Deadline | None = None) -> None:
        """Start the time.

        Args:
            timeout: Seconds; infinity for no end.
            outer: The deadline of the method that makes the call. Default: none.
        """
        self._timeout = timeout
        self._end = time.monotonic() + timeout
        self._outer = outer
        self._added_until = 0.0

    @property
    def end(self) -> float:
        """The end, on the clock of `time.monotonic`."""
        return self._end if self._outer is None else min(self._end, self._outer.end)

    @property
    def timeout(self) -> float:
        """The timeout of the end, in seconds as the caller gave it."""
        outer = self._outer
        return self._timeout if outer is None or self._end <= outer.end else outer.timeout

    def left(self) -> float:
        """Seconds that are left; at least 0."""
        return max(self.end - time.monotonic(), 0.0)

    def add_since(self, started: float) -> None:
        """Add the time since `started`. Of overlapping times, such as those of concurrent calls, the union is added."""
        now = time.monotonic()
        self._end += max(now - max(started, self._added_until), 0.0)
        self._added_until = now
        if self._outer is not None:
            self._outer.add_since(started)


_deadline: ContextVar[Deadline | None] = ContextVar("rpc_deadline", default=None)


def deadline_of_call(timeout: float | timedelta | None, default: float | None) -> Deadline:
    """Start the time of one call: that of its argument, of the enclosing method, of a block, or of the client.

    Args:
        timeout: The argument.
        default: The client's timeout. None for a stream, which has no end by default.

    Raises:
        TypeError: `timeout` is not a number of seconds.
        ValueError: `timeout` is not positive.
    """
    outer = _deadline.get()
    if timeout is not None:
        return Deadline(seconds("timeout", timeout), outer)
    if outer is not None or default is None:
        return Deadline(math.inf, outer)
    return Deadline(_options.get().timeout or default)


@contextmanager
def within(timeout: float | timedelta | None) -> Generator[None]:
    """Bound all calls in a block together, for methods that make several. Use it in coroutines, not in generators.

    Args:
        timeout: Seconds. None leaves each call its own limit.

    Raises:
        TypeError: `timeout` is not a number of seconds.
        ValueError: `timeout` is not positive.
    """
    if timeout is None:
        yield
        return
    reset = _deadline.set(Deadline(seconds("timeout", timeout), _deadline.get()))
    try:
        yield
    finally:
        _deadline.reset(reset)


def within_timeout(function: F) -> F:
    """Bound all calls of a coroutine function together by its keyword argument `timeout`, as `within` does."""

    @wraps(function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        with within(kwargs.get("timeout")):
            return await function(*args, **kwargs)

    return cast(F, call)


def is_bounded() -> bool:
    """Whether the code runs in a `within` block with a deadline."""
    return _deadline.get() is not None


def is_limited() -> bool:
    """Whether the code runs in a block that `unbounded` leaves."""
    return _deadline.get() is not None or _options.get() is not _NONE


@contextmanager
def unbounded(*, keep_options: bool = False) -> Generator[None]:
    """Leave the enclosing blocks: `within`, to start a task that others share, and `call_options`, to log in.

    Args:
        keep_options: Stay in the `call_options` blocks. Default: False.
    """
    deadline, given = _deadline.set(None), _options.set(_options.get() if keep_options else _NONE)
    try:
        yield
    finally:
        _deadline.reset(deadline)
        _options.reset(given)


@asynccontextmanager
async def before_deadline(what: str) -> AsyncGenerator[None]:
    """Bound work other than calls by the deadline of the enclosing `within` block, if there is one.

    Args:
        what: The work in the error, such as `the upload`.

    Raises:
        DeadlineExceededError: The deadline has passed.
    """
    deadline = _deadline.get()
    if deadline is None:
        yield
        return
    limit = asyncio.timeout(deadline.left())
    try:
        async with limit:
            yield
    except TimeoutError as error:
        if limit.expired() and not isinstance(error, RpcError):
            raise DeadlineExceededError(f"{what} did not end within {deadline.timeout:g} s") from None
        raise
