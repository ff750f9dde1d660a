"""The calling user, and the login configuration of the control plane."""

from __future__ import annotations

from typing import Any

from flyte.remote._callable import CallableText
from flyte_api.entities.auth_metadata import AuthMetadataBase
from flyte_api.entities.public_client import PublicClientBase
from flyte_api.entities.user import UserBase


class User(UserBase):
    """The user whose credentials the client sends."""

    @property
    def subject(self) -> CallableText:
        """The identity provider's id of the caller; unique and permanent. Also a method: `subject()`."""
        return CallableText(self.pb2.subject)

    @property
    def name(self) -> CallableText:
        """Full name, for people to read. Also a method: `name()`."""
        return CallableText(self.pb2.name)

    @property
    def additional_claims(self) -> dict[str, Any]:
        """Further claims of the identity provider by name, as a copy."""
        claims = self.pb2.additional_claims
        return {} if claims is None else claims.to_python()

    _REPR = ("subject", "name", "email")


class AuthMetadata(AuthMetadataBase):
    """The authorization server of the control plane."""

    _REPR = ("issuer", "token_endpoint", "scopes")


class PublicClient(PublicClientBase):
    """The OAuth client for programs that cannot keep a secret."""

    _REPR = ("client_id", "scopes", "audience")
