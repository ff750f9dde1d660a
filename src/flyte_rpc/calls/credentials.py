"""What authenticates calls: a token, a function that returns one, or a log-in that renews itself."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, runtime_checkable

from .metadata import check_token

Headers = Sequence[tuple[str, str]]
"""Request headers: lower-case names, printable ASCII values."""

Token = str | Callable[[], str | Awaitable[str]]
"""A bearer token, or a function or coroutine function that returns one."""


@runtime_checkable
class Credentials(Protocol):
    """Headers that authenticate calls. Threads, event loops and clients share one object."""

    async def headers(self) -> Headers:
        """Return the headers of the next attempt of a call; none for an anonymous one.

        May log in, or renew what is about to expire.

        The time that it takes does not count towards the deadline of the call, so it must be bounded.

        Raises:
            SdkError: There are no credentials, and none can be had.
        """
        ...

    async def renew(self, rejected: Headers) -> bool:
        """Replace credentials that the server rejected with UNAUTHENTICATED.

        Args:
            rejected: The headers that were rejected. Newer credentials, which another call has got in the meantime, need
                no renewal.

        Returns:
            Whether another attempt, with other headers, makes sense.
        """
        ...


def beside_blocks(credentials: Credentials) -> bool:
    """Whether credentials are asked even if an `auth_metadata` block sets `authorization`.

    Credentials that send other headers as well, such as those for a proxy, say so with an attribute of this name.
    """
    return bool(getattr(credentials, "beside_blocks", False))


class BearerToken:
    """A token that never changes."""

    __slots__ = ("_headers",)

    def __init__(self, token: str) -> None:
        """Keep a token.

        Raises:
            TypeError: It is not text.
            ValueError: It is empty, or has characters that a header cannot carry.
        """
        check_token(token)
        self._headers = (("authorization", f"Bearer {token}"),)

    async def headers(self) -> Headers:
        return self._headers

    async def renew(self, rejected: Headers) -> bool:
        return False


class TokenFunction:
    """A function that returns the token of each attempt."""

    __slots__ = ("_function", "_next")

    def __init__(self, function: Callable[[], str | Awaitable[str]]) -> None:
        """Keep a function.

        Args:
            function: Returns the token, or an awaitable of it. It is called before each attempt.
        """
        self._function = function
        self._next: Headers | None = None
        """What a renewal has found, for the attempt that follows it."""

    async def headers(self) -> Headers:
        found, self._next = self._next, None
        return found or await self._call()

    async def renew(self, rejected: Headers) -> bool:
        found = await self._call()
        if found == tuple(rejected):
            return False
        self._next = found
        return True

    async def _call(self) -> Headers:
        token = self._function()
        if inspect.isawaitable(token):
            token = await token
        check_token(token)
        return (("authorization", f"Bearer {token}"),)


def credentials_of(token: Token | None, credentials: Credentials | None) -> Credentials | None:
    """The credentials of a client's arguments; None for an anonymous client.

    Raises:
        TypeError: An argument has the wrong type, or both are given.
        ValueError: The token cannot be sent.
    """
    if credentials is not None:
        if token is not None:
            raise TypeError("pass token= or credentials=, not both")
        if not isinstance(credentials, Credentials):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"credentials takes an object with headers() and renew(), not {type(credentials).__name__}")
        return credentials
    if token is None:
        return None
    return TokenFunction(token) if callable(token) else BearerToken(token)
