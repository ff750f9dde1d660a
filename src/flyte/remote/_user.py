"""The caller, and how callers log in."""

from __future__ import annotations

from typing import Any

from flyte_api.entities.auth_metadata import AuthMetadataBase
from flyte_api.entities.public_client import PublicClientBase
from flyte_api.entities.user import UserBase


class User(UserBase):
    """The user whose credentials the client sends."""

    @property
    def additional_claims(self) -> dict[str, Any]:
        """Whatever else the identity provider says, by name, as a copy."""
        claims = self.pb2.additional_claims
        return {} if claims is None else claims.to_python()

    _REPR = ("subject", "name", "email")


class AuthMetadata(AuthMetadataBase):
    """How the control plane wants callers to log in: its authorization server."""

    _REPR = ("issuer", "token_endpoint", "scopes")


class PublicClient(PublicClientBase):
    """The OAuth client that programs without a secret of their own log in as."""

    _REPR = ("client_id", "scopes", "audience")
