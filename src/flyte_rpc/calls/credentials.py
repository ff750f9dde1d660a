"""What authenticates calls: a token, a function that returns one, or a log-in that renews itself."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, runtime_checkable

from flyte_rpc.errors import AuthenticationError

from .metadata import OURS, check_token, checked

TOKEN_SECONDS = 60.0
"""How long a token function may take."""

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


def described(credentials: Credentials | None) -> str:
    """Name the way to log in without repeating a secret.

    Credentials say it with a method `describe()` or an attribute `auth_type`.
    """
    if credentials is None:
        return "no credentials"
    describe: Callable[[], str] | None = getattr(credentials, "describe", None)
    if callable(describe):
        return describe()
    auth_type = getattr(credentials, "auth_type", None)
    if isinstance(auth_type, str):
        return f"auth_type {auth_type!r}"
    return f"credentials of {type(credentials).__name__}"


async def authentication_of(credentials: Credentials) -> Headers:
    """Return the headers of credentials for an attempt.

    Raises:
        TypeError: They are no pairs of texts.
        ValueError: A name or value cannot be sent. The message does not repeat values.
    """
    headers = await credentials.headers()
    if isinstance(credentials, BearerToken):  # whose only header was checked when it was created
        return headers
    return checked(headers, called=f"{type(credentials).__name__}.headers()", ours=OURS)


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

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BearerToken) and self._headers == other._headers

    def __hash__(self) -> int:
        return hash(self._headers)

    def describe(self) -> str:
        """Name the way to log in, for messages."""
        return "a token"

    def __repr__(self) -> str:
        return "BearerToken()"


class TokenFunction:
    """A function that returns the token of each attempt."""

    __slots__ = ("_function", "_seconds")

    def __init__(self, function: Callable[[], str | Awaitable[str]], seconds: float = TOKEN_SECONDS) -> None:
        """Keep a function.

        Args:
            function: Returns the token, or an awaitable of it. It is called before each attempt and for each renewal. A
                coroutine function runs on the event loop of the call, another function in a thread, since it may block.
            seconds: Maximum seconds that it may take.
        """
        self._seconds = seconds
        self._function = function

    async def headers(self) -> Headers:
        """Return the header with the function's token.

        Raises:
            AuthenticationError: The function has not returned in time.
            TypeError: It returned something else than text.
            ValueError: The token is empty, or has characters that a header cannot carry.
        """
        timer = asyncio.timeout(self._seconds)
        try:
            async with timer:
                token = await self._token()
        except TimeoutError:
            if not timer.expired():
                raise  # it is the function's own
            name = getattr(self._function, "__qualname__", type(self._function).__name__)
            raise AuthenticationError(
                f"The token function {name} has not returned within {self._seconds:g} s. Give what it waits for a timeout."
            ) from None
        check_token(token)
        return (("authorization", f"Bearer {token}"),)

    async def _token(self) -> object:
        function: Callable[[], object] = self._function
        if inspect.iscoroutinefunction(function):
            return await function()

        def call() -> tuple[object, BaseException | None]:
            try:
                return function(), None
            except BaseException as error:  # returned, since a future does not take every exception
                return None, error

        token, error = await asyncio.to_thread(call)
        if error is not None:
            raise error
        return await token if inspect.isawaitable(token) else token

    async def renew(self, rejected: Headers) -> bool:
        return await self.headers() != tuple(rejected)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TokenFunction) and self._function == other._function

    def __hash__(self) -> int:
        return hash(self._function)

    def describe(self) -> str:
        """Name the way to log in, for messages."""
        return "a token"


class OnDemand:
    """Credentials that are not used before the server asks for them with UNAUTHENTICATED."""

    def __init__(
        self, make: Callable[[], Credentials], *, identity: object = None, auth_type: str | None = None
    ) -> None:
        """Keep a function that creates the credentials.

        Args:
            make: Creates them. It is called when the server has rejected an anonymous call.
            identity: What they are for. Objects of the same identity are equal. Default: equal to no other.
            auth_type: The way to log in, for messages.
        """
        self.auth_type = auth_type
        self._make = make
        self._identity = identity
        self._made: Credentials | None = None

    async def headers(self) -> Headers:
        return () if self._made is None else await self._made.headers()

    async def renew(self, rejected: Headers) -> bool:
        if rejected and self._made is not None:
            return await self._made.renew(rejected)
        made = self._made or self._make()
        found = await made.headers()
        self._made = made
        return bool(found)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return isinstance(other, OnDemand) and self._identity is not None and self._identity == other._identity

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"OnDemand({self._made!r})"


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
