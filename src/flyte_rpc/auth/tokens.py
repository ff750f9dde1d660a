"""The tokens that a log-in yields, and when they expire."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from typing import Any, Self, TypeGuard

import attrs

from flyte_rpc.calls.metadata import checked
from flyte_rpc.errors import AuthenticationError

_LEAD = 60.0
"""Seconds before the expiry at which a token is renewed."""

_LEAD_SHARE = 0.2
"""The part of its lifetime that a token is not used for, if that is shorter."""


@attrs.frozen(kw_only=True)
class Tokens:
    """An access token, with what is needed to renew it."""

    access_token: str = attrs.field(repr=False)
    refresh_token: str | None = attrs.field(default=None, repr=False)
    lifetime: float | None = None
    """Seconds from the log-in to the expiry; None if the server does not say."""
    received: float = 0.0
    """When it arrived, on the monotonic clock of this process."""
    header: str = "authorization"
    """The request header that carries the token."""

    def expired(self, now: float) -> bool:
        """Whether the token is of no use any more.

        Args:
            now: The time on the monotonic clock.
        """
        return self.lifetime is not None and now - self.received >= self.lifetime

    def due(self, now: float) -> bool:
        """Whether it is time to renew the token, shortly before its expiry."""
        if self.lifetime is None:
            return False
        return now - self.received >= self.lifetime - min(_LEAD, self.lifetime * _LEAD_SHARE)

    def to_json(self, now: float, wall: float) -> str:
        """The text to store. Other processes have another monotonic clock, so the times are those of the wall clock.

        Args:
            now: The time on the monotonic clock.
            wall: The same time, in seconds since 1970.
        """
        return json.dumps(
            {
                "access_token": self.access_token,
                "refresh_token": self.refresh_token,
                "lifetime": self.lifetime,
                "received": wall - (now - self.received),
                "header": self.header,
            }
        )

    @classmethod
    def from_json(cls, text: str, now: float, wall: float) -> Self | None:
        """Read stored text; None if it is damaged.

        A wall clock that was set back since counts as no time, so that a token is never used for longer than its lifetime.
        """
        try:
            found = json.loads(text)
            received, lifetime = _seconds(found["received"]), found["lifetime"]
            access, refresh, header = found["access_token"], found["refresh_token"], found["header"]
            lifetime = None if lifetime is None else _seconds(lifetime)
            checked([(header, "x")], ours=())
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
            return None
        if not _usable(access) or not (refresh is None or isinstance(refresh, str)):
            return None
        return cls(
            access_token=access,
            refresh_token=refresh,
            lifetime=lifetime,
            received=now - max(wall - received, 0.0),
            header=header,
        )


def tokens_of(
    reply: Mapping[str, Any], where: str, *, requested: float | None = None, header: str = "authorization"
) -> Tokens:
    """Read the reply of a token endpoint.

    Args:
        reply: The reply.
        where: The endpoint, for errors.
        requested: When the request was sent, on the monotonic clock. A slow reply makes the token older. Default: now.
        header: The request header that will carry the token.

    Raises:
        AuthenticationError: It has no usable token. The message does not repeat it.
    """
    access, refresh, kind = reply.get("access_token"), reply.get("refresh_token"), reply.get("token_type", "Bearer")
    if not _usable(access):
        raise AuthenticationError(f"{where} sends no usable access token.")
    if str(kind).lower() != "bearer":
        raise AuthenticationError(f"{where} sends a token of another type than Bearer.")
    return Tokens(
        access_token=access,
        refresh_token=refresh if isinstance(refresh, str) and refresh else None,
        lifetime=_lifetime(reply.get("expires_in")),
        received=time.monotonic() if requested is None else requested,
        header=header,
    )


def _usable(token: object) -> TypeGuard[str]:
    """Whether a header can carry the token."""
    return isinstance(token, str) and token != "" and token.isascii() and token.isprintable()


def _seconds(value: object) -> float:
    """A finite number of stored text.

    Raises:
        ValueError: The value is something else.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError("not a number of seconds")
    return float(value)


def _lifetime(value: object) -> float | None:
    """`expires_in`, which some servers write as text; None if it is missing or meaningless."""
    try:
        seconds = float(value) if isinstance(value, (int, float, str)) and not isinstance(value, bool) else 0.0
    except ValueError:
        return None
    return seconds if 0 < seconds < float("inf") else None
