"""Credentials of the program's own callers."""

from __future__ import annotations

from flyte_rpc.calls.credentials import Headers
from flyte_rpc.calls.metadata import added
from flyte_rpc.errors import AuthenticationError


class Passthrough:
    """Sends the headers of the enclosing `auth_metadata` block, and none of its own."""

    async def headers(self) -> Headers:
        """Return nothing: the block adds its headers itself.

        Raises:
            AuthenticationError: There is no block.
        """
        if not added():
            raise AuthenticationError(
                "auth_type='Passthrough' sends the headers of an auth_metadata block, and this call is in none. Write "
                'with auth_metadata(("authorization", f"Bearer {token}")): around it.'
            )
        return ()

    async def renew(self, rejected: Headers) -> bool:
        """Return False: the program that adds the headers renews them."""
        return False

    auth_type = "Passthrough"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Passthrough)

    def __hash__(self) -> int:
        return hash(Passthrough)

    def __repr__(self) -> str:
        return "Passthrough()"
