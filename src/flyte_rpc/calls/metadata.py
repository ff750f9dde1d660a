"""Request headers of the caller's choice: those of a client, and those of all calls in a `with` block."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator, Iterable
from contextlib import aclosing, contextmanager
from contextvars import ContextVar
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")
T = TypeVar("T")

Pairs = tuple[tuple[str, str], ...]

_PRINTABLE = re.compile(r"[ -~]+")
_NAME = re.compile(r"[0-9a-z_.-]+")
_OURS = ("te", "content-type", "user-agent", "x-request-id")
_HTTP = frozenset(
    (
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "transfer-encoding",
        "upgrade",
    )
)
"""Headers that describe the connection or the body, which only a transport can know."""

_added: ContextVar[Pairs] = ContextVar("rpc_auth_metadata", default=())

added = _added.get
"""The pairs that the blocks around a call add to it."""


@contextmanager
def auth_metadata(*pairs: tuple[str, str]) -> Generator[None]:
    """Send more request headers with all calls that are made in a `with` block, such as the credentials of a user.

    It is for services that pass on who has called them: `with auth_metadata(("authorization", f"Bearer {token}")):`. The
    block of a thread or task is its own. A listing, watch or log that is made in the block takes the headers along, wherever
    it is iterated. Blocks add up; a name that is given again replaces the outer block's, and the client's own.

    Args:
        pairs: Names, in any case, and printable ASCII values. A name may come several times. `authorization` takes the
            place of the client's token.

    Raises:
        TypeError: A pair is no pair of texts.
        ValueError: There are none, or a name or value that a header cannot have.
    """
    if not pairs:
        raise ValueError('auth_metadata takes at least one pair, such as ("authorization", "Bearer ...")')
    given = ((name.lower(), value) for name, value in (_pair("auth_metadata", pair) for pair in pairs))
    with _more(checked(given, called="auth_metadata", ours=_OURS)):
        yield


def _pair(called: str, pair: object) -> tuple[str, str]:
    match pair:
        case (str(name), str(value)):
            return name, value
        case _:  # which may hold a secret, and is not repeated
            raise TypeError(f"{called} takes pairs of two texts, and got a {type(pair).__name__} that is none")


def checked(
    metadata: Iterable[tuple[str, str]], *, called: str = "metadata", ours: tuple[str, ...] = ("authorization", *_OURS)
) -> Pairs:
    """Pairs that can be sent.

    Args:
        metadata: The pairs.
        called: What an error calls them.
        ours: Names that are not theirs to set.

    Raises:
        TypeError: One is no pair of texts. Values, which may be secrets, are not repeated.
        ValueError: One of them cannot.
    """
    pairs = tuple(_pair(called, pair) for pair in metadata)
    for name, value in pairs:
        if not _NAME.fullmatch(name) or name.startswith(("grpc-", "connect-")) or name.endswith("-bin"):
            raise ValueError(
                f"{called} has the header {name!r}; names are lower-case, and not those of gRPC, Connect or binary ones"
            )
        if name in ours or name in _HTTP:
            raise ValueError(f"{called} cannot set {name!r}, which the client sets itself")
        if not _PRINTABLE.fullmatch(value):
            raise ValueError(f"the {called} value of {name!r} is empty or not printable ASCII")
    return pairs


def check_token(token: object) -> None:
    """Make sure that a bearer token can be sent.

    Raises:
        TypeError: It is not text.
        ValueError: It is empty, or has characters that a header cannot carry. It is never repeated.
    """
    if not isinstance(token, str):
        given = type(token).__name__
        if isinstance(token, Coroutine):
            token.close()  # it will never be awaited, and is not to be warned of on top
        raise TypeError(f"token takes text, or a function that returns text, and got {given}")
    if not _PRINTABLE.fullmatch(token):
        raise ValueError("the token is empty or has characters that a header cannot carry, such as a line break")


@contextmanager
def _more(pairs: Pairs) -> Generator[None]:
    names = {name for name, _ in pairs}
    reset = _added.set((*(pair for pair in _added.get() if pair[0] not in names), *pairs))
    try:
        yield
    finally:
        _added.reset(reset)


def carrying(function: Callable[[A, B], Awaitable[T]]) -> Callable[[A, B], Awaitable[T]]:
    """A function that sends the pairs of the present block, wherever it is called."""
    pairs = _added.get()
    if not pairs:
        return function

    async def call(first: A, second: B) -> T:
        with _more(pairs):
            return await function(first, second)

    return call


def carrying_stream(source: Callable[[], AsyncGenerator[T, None]]) -> Callable[[], AsyncGenerator[T, None]]:
    """A stream that sends the pairs of the present block, wherever it is read: at its beginning, and when it opens again."""
    pairs = _added.get()
    if not pairs:
        return source

    async def items() -> AsyncGenerator[T, None]:
        async with aclosing(source()) as found:
            while True:
                # Step by step: between two items the context is the reader's, not ours to change.
                with _more(pairs):
                    try:
                        item = await anext(found)
                    except StopAsyncIteration:
                        return
                yield item

    return items
