"""Credentials that log in when they are first needed, and renew themselves."""

from __future__ import annotations

import asyncio
import copy
import logging
import os
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from typing import NoReturn

from flyte_rpc.calls.credentials import Headers
from flyte_rpc.errors import AuthenticationError, SdkError

from .flows.flow import Flow
from .storage.locking import LockedError
from .storage.store import TokenStore
from .token_endpoint import TokenRequestError
from .tokens import Tokens

_log = logging.getLogger("flyte_rpc.auth")

_LOCK_SECONDS = 330.0
"""How long to wait for another process, in which a person may be logging in."""

_RENEWAL_SECONDS = 10.0
"""How long to wait for the renewal of another process, where waiting for a person is ruled out."""

_PAUSE = 5.0
"""Seconds after a failed renewal in which a token that is still valid is used without another attempt."""


class OAuthCredentials:
    """Tokens of one identity. Threads, event loops and clients share one object.

    At most one log-in or renewal is in flight. It runs in its own thread, and all calls that need a token wait for it.
    """

    def __init__(
        self,
        flow: Flow,
        *,
        label: str,
        store: TokenStore | None = None,
        interactive: bool = True,
        renewal_seconds: float = _RENEWAL_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Describe the log-in. Nothing is sent before the first call.

        Args:
            flow: The way to log in.
            label: What it logs in to, for messages and `repr`.
            store: Where tokens are kept for other processes and later programs. Default: in memory only.
            interactive: Whether a person may be asked to log in.
            renewal_seconds: How long to wait for another process that uses the same tokens, if nobody may be asked.
            clock: The monotonic clock.
        """
        self._flow = flow
        self._label = label
        self._store = store
        self._interactive = interactive
        self._renewal_seconds = renewal_seconds
        self._clock = clock
        self._tokens: Tokens | None = None
        self._pause_until = 0.0
        self._after_fork()
        _sessions.add(self)

    def _after_fork(self) -> None:
        """Replace the lock, and forget the log-in in flight: its thread does not exist in the child process."""
        self._lock = threading.Lock()
        self._flight: Future[Tokens] | None = None

    async def headers(self) -> Headers:
        """Return the header with the token. Logs in, or renews what is about to expire.

        Raises:
            SdkError: The log-in failed.
        """
        return _headers(await self._obtain(None))

    async def renew(self, rejected: Headers) -> bool:
        """Renew the token if it is the one that was rejected.

        Returns:
            Whether the token is another one now.

        Raises:
            SdkError: The log-in failed.
        """
        token = next((value.partition(" ")[2] for name, value in rejected if name == self._header), "")
        return _headers(await self._obtain(token)) != tuple(rejected)

    @property
    def _header(self) -> str:
        return self._tokens.header if self._tokens is not None else "authorization"

    async def _obtain(self, rejected: str | None) -> Tokens:
        with self._lock:
            found = self._tokens
            if found is not None and self._serves(found, rejected):
                return found
            flight = self._flight
            if flight is None:
                flight = self._flight = self._start(found, rejected)
        try:
            return await asyncio.wrap_future(flight)
        except SdkError as error:
            failure = error
        # Each caller gets an error of its own: a shared one would collect the tracebacks of all.
        raise _copied(failure)

    def _serves(self, tokens: Tokens, rejected: str | None) -> bool:
        if rejected is not None:
            return tokens.access_token != rejected and not tokens.expired(self._clock())
        now = self._clock()
        if tokens.due(now):
            return now < self._pause_until and not tokens.expired(now)
        return True

    def _start(self, current: Tokens | None, rejected: str | None) -> Future[Tokens]:
        flight: Future[Tokens] = Future()
        flight.set_running_or_notify_cancel()  # a caller that gives up must not take it from the others
        thread = threading.Thread(target=self._run, args=(flight, current, rejected), name="login", daemon=True)
        thread.start()
        return flight

    def _run(self, flight: Future[Tokens], current: Tokens | None, rejected: str | None) -> None:
        try:
            found = self._renewed(current, rejected)
        except BaseException as error:  # whatever it is, callers wait for it
            self._land()
            flight.set_exception(error)
        else:
            self._land(found)
            flight.set_result(found)

    def _land(self, found: Tokens | None = None) -> None:
        with self._lock:
            self._flight = None
            if found is not None:
                self._tokens = found

    def _renewed(self, current: Tokens | None, rejected: str | None) -> Tokens:
        if self._store is None:
            return self._acquire(current, rejected)
        if self._interactive or not self._flow.interactive:
            return self._renewed_under_lock(self._store, _LOCK_SECONDS, current, rejected)
        stored = self._store.read()
        if stored is not None and self._fresh(stored, rejected):
            return stored
        try:
            return self._renewed_under_lock(self._store, self._renewal_seconds, current, rejected)
        except LockedError:
            pass
        return self._until_expiry(
            stored or current,
            rejected,
            AuthenticationError(
                f"Somebody is logging in to {self._label} in another program or thread, and interactive=False rules out "
                "waiting for a person. Complete that log-in, and make the call again."
            ),
        )

    def _renewed_under_lock(
        self, store: TokenStore, seconds: float, current: Tokens | None, rejected: str | None
    ) -> Tokens:
        with store.locked(seconds):
            stored = store.read()
            if stored is not None and self._fresh(stored, rejected):
                _log.debug("Using the stored token for %s", self._label)
                return stored
            before = stored or current
            found = self._acquire(before, rejected)
            if found is not before:
                store.write(found)
            return found

    def _fresh(self, tokens: Tokens, rejected: str | None) -> bool:
        """Whether another process has renewed the tokens already."""
        return tokens.access_token != rejected and not tokens.due(self._clock())

    def _acquire(self, current: Tokens | None, rejected: str | None) -> Tokens:
        """Renew the tokens, with their refresh token if possible, and else with a new log-in."""
        failure: AuthenticationError | None = None
        if current is not None and current.refresh_token is not None:
            found, failure = self._refresh(current.refresh_token)
            if found is not None:
                return found
        if failure is None:
            found, failure = self._log_in()
            if found is not None:
                return found
        return self._until_expiry(current, rejected, failure or AuthenticationError(f"No token for {self._label}."))

    def _until_expiry(self, current: Tokens | None, rejected: str | None, failure: AuthenticationError) -> Tokens:
        """The current token if it is only about to expire.

        Raises:
            AuthenticationError: The failure, if there is no token that can still be used.
        """
        now = self._clock()
        if current is None or rejected is not None or current.expired(now):
            raise failure
        self._pause_until = now + _PAUSE
        _log.warning("The token for %s cannot be renewed, and is used until it expires: %s", self._label, failure)
        return current

    def _refresh(self, refresh_token: str) -> tuple[Tokens | None, AuthenticationError | None]:
        """New tokens, or why there are none. Neither, if only a new log-in can help."""
        try:
            found = self._flow.refresh(refresh_token)
        except TokenRequestError as error:
            if error.transient or error.code in ("", "invalid_client"):
                return None, error
            code = error.code
        else:
            _log.debug("Renewed the token for %s", self._label)
            return found, None
        _log.debug("The refresh token for %s is not accepted any more (%s)", self._label, code)
        if self._store is not None:
            self._store.delete()
        return None, None

    def _log_in(self) -> tuple[Tokens | None, AuthenticationError | None]:
        if self._flow.interactive and not self._interactive:
            return None, AuthenticationError(
                f"Logging in to {self._label} needs a person, and interactive=False rules that out. Log in once with "
                "interactive=True on this machine, or use auth_type='ClientSecret'."
            )
        _log.debug("Logging in to %s (%s)", self._label, self._flow.name)
        try:
            return self._flow.log_in(), None
        except AuthenticationError as error:
            return None, error

    @property
    def auth_type(self) -> str:
        """The way to log in."""
        return self._flow.name

    def log_out(self) -> None:
        """Forget the tokens, in memory and where they are kept. The next call logs in again.

        Raises:
            AuthenticationError: Stored tokens cannot be removed.
        """
        with self._lock:
            self._tokens = None
        if self._store is not None:
            self._store.log_out()

    def __repr__(self) -> str:
        return f"OAuthCredentials({self._label!r}, {self._flow.name})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("credentials hold tokens and cannot be copied or pickled; create new ones")


def _headers(tokens: Tokens) -> Headers:
    return ((tokens.header, f"Bearer {tokens.access_token}"),)


def _copied(error: SdkError) -> SdkError:
    made = copy.copy(error)
    return made.with_traceback(None)


_sessions: weakref.WeakSet[OAuthCredentials] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for session in list(_sessions):
        session._after_fork()  # pyright: ignore[reportPrivateUsage]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
