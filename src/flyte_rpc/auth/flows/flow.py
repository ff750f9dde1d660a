"""What a session needs of a way to log in."""

from __future__ import annotations

from typing import Protocol

from flyte_rpc.auth.tokens import Tokens


class Flow(Protocol):
    """A way to log in. A session calls it from one thread at a time."""

    name: str
    """How messages and `repr` call it."""

    interactive: bool
    """Whether a person has to take part."""

    def log_in(self) -> Tokens:
        """Log in from the start.

        Raises:
            SdkError: No log-in.
        """
        ...

    def refresh(self, refresh_token: str) -> Tokens:
        """Renew tokens without a person.

        Raises:
            TokenRequestError: The server refuses, or cannot be reached.
        """
        ...
