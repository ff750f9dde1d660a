"""A control plane that says how to log in, and accepts the tokens of an authorization server."""

from __future__ import annotations

from typing import Any

from flyte_api.messages.flyteidl2.auth.auth_service import (
    GetOAuth2MetadataRequest,
    GetOAuth2MetadataResponse,
    GetPublicClientConfigRequest,
    GetPublicClientConfigResponse,
)
from flyte_api.services.flyteidl2.auth.auth_metadata_service import AuthMetadataServiceBase
from flyte_rpc.serving.server import ServerCall, Status, abort

from .oauth_server import OAuthServer


class Access(AuthMetadataServiceBase):
    """Names an authorization server and its public client."""

    def __init__(self, metadata: dict[str, str], **config: Any) -> None:
        self.calls: list[ServerCall] = []
        self.metadata = metadata
        self.config: dict[str, Any] = {
            "client_id": "people",
            "redirect_uri": "http://localhost:0/callback",
            "scopes": ["all", "offline"],
            **config,
        }

    async def get_o_auth2_metadata(
        self, request: GetOAuth2MetadataRequest, call: ServerCall
    ) -> GetOAuth2MetadataResponse:
        self.calls.append(call)
        return GetOAuth2MetadataResponse(**self.metadata)

    async def get_public_client_config(
        self, request: GetPublicClientConfigRequest, call: ServerCall
    ) -> GetPublicClientConfigResponse:
        self.calls.append(call)
        return GetPublicClientConfigResponse(**self.config)


class TokenGuard:
    """Accepts calls with a token that the server has issued, and questions about how to log in."""

    def __init__(self, oauth: OAuthServer, header: str = "authorization") -> None:
        self.oauth = oauth
        self.header = header
        self.accepted: list[dict[str, str]] = []

    def __call__(self, call: ServerCall) -> None:
        if "AuthMetadataService" in call.path:
            return
        value = call.metadata.get(self.header, "")
        if value.removeprefix("Bearer ") not in self.oauth.valid:
            abort(Status.UNAUTHENTICATED, f"not valid: {value}")
        self.accepted.append(dict(call.metadata))
