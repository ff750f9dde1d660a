"""Custom request headers: those of a client, and those of all calls in a `with` block."""

from __future__ import annotations

import re
from collections.abc import Coroutine, Generator, Iterable
from contextlib import contextmanager
from contextvars import ContextVar

from .block import Block, setting

Pairs = tuple[tuple[str, str], ...]

_PRINTABLE = re.compile(r"[ -~]+")
_NAME = re.compile(r"[0-9a-z_.-]+")
OURS = ("te", "content-type", "user-agent", "x-request-id")
"""Headers that a call sets itself."""

HTTP_HEADERS = frozenset(
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
"""Return the pairs that the enclosing blocks add to a call."""


def auth_metadata(*pairs: tuple[str, str]) -> Block[None]:
    """Add request headers, such as the credentials of a user, to all calls in a `with` block.

    Use it in a service that acts for its users: `with auth_metadata(("authorization", f"Bearer {token}")):`. Each
    thread and task has its own blocks. A listing, watch or log that is created in the block keeps the headers, wherever
    it is iterated. Nested blocks are merged; an inner block overrides the same header of an outer block and of the
    client.

    Args:
        pairs: Names, in any case, and printable ASCII values. A name may occur several times. `authorization` replaces
            the client's token.

    Returns:
        The block. Used without `with`, it has no effect, and warns.

    Raises:
        TypeError: A pair is not a tuple of two strings.
        ValueError: No pair is given, or a name or value is not valid in a header.
    """
    if not pairs:
        raise ValueError('auth_metadata takes at least one pair, such as ("authorization", "Bearer ...")')
    given = ((name.lower(), value) for name, value in (_pair("auth_metadata", pair) for pair in pairs))
    more = checked(given, called="auth_metadata", ours=OURS)
    return Block("auth_metadata(...)", lambda: setting(_added, _merged(more), None))


def _pair(called: str, pair: object) -> tuple[str, str]:
    match pair:
        case (str(name), str(value)):
            return name, value
        case _:  # the value may be a secret, so the message does not repeat it
            raise TypeError(f"{called} takes (name, value) tuples of strings, not {type(pair).__name__}")


def checked(
    metadata: Iterable[tuple[str, str]], *, called: str = "metadata", ours: tuple[str, ...] = ("authorization", *OURS)
) -> Pairs:
    """Validate pairs for sending.

    Args:
        metadata: The pairs.
        called: The argument's name in errors.
        ours: Names that callers must not set.

    Raises:
        TypeError: A pair is not a tuple of two strings. The message does not repeat values, which may be secrets.
        ValueError: A name or value is not valid in a header.
    """
    if not isinstance(metadata, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"{called} takes (name, value) tuples, not {type(metadata).__name__}")
    pairs = tuple(_pair(called, pair) for pair in metadata)
    for name, value in pairs:
        if not _NAME.fullmatch(name) or name.startswith(("grpc-", "connect-")) or name.endswith("-bin"):
            raise ValueError(
                f"{called} has the header {name!r}; header names are lower-case, without grpc- or connect- in front "
                "and without -bin at the end"
            )
        if name in ours or name in HTTP_HEADERS:
            raise ValueError(f"{called} cannot set {name!r}, which the client sets itself")
        if not _PRINTABLE.fullmatch(value):
            raise ValueError(f"the {called} value of {name!r} is empty or not printable ASCII")
    return pairs


def check_token(token: object) -> None:
    """Validate a bearer token.

    Raises:
        TypeError: The token is not text.
        ValueError: The token is empty, or has characters that are not valid in a header. The message omits the token.
    """
    if not isinstance(token, str):
        given = type(token).__name__
        if isinstance(token, Coroutine):
            token.close()  # avoids a warning about a coroutine that was never awaited
        raise TypeError(f"token takes a string or a function that returns one, not {given}")
    if not token.strip() or not _PRINTABLE.fullmatch(token):
        raise ValueError("the token is empty or has characters that are not valid in a header, such as a line break")


@contextmanager
def adding(pairs: Pairs) -> Generator[None]:
    """Add checked pairs to the calls of a block. They replace those of outer blocks with the same names."""
    reset = _added.set(_merged(pairs))
    try:
        yield
    finally:
        _added.reset(reset)


def _merged(pairs: Pairs) -> Pairs:
    names = {name for name, _ in pairs}
    return (*(pair for pair in _added.get() if pair[0] not in names), *pairs)
