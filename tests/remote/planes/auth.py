"""IdentityService and AuthMetadataService."""

from __future__ import annotations

from flyte_api.messages.flyteidl2.auth.auth_service import (
    GetOAuth2MetadataRequest,
    GetOAuth2MetadataResponse,
    GetPublicClientConfigRequest,
    GetPublicClientConfigResponse,
)
from flyte_api.messages.flyteidl2.auth.identity import UserInfoRequest, UserInfoResponse
from flyte_api.messages.google.protobuf.struct import Struct
from flyte_api.services.flyteidl2.auth.auth_metadata_service import AuthMetadataServiceBase
from flyte_api.services.flyteidl2.auth.identity_service import IdentityServiceBase
from flyte_rpc.serving.server import ServerCall, Status, abort


class Identity(IdentityServiceBase):
    """Believes what the token says: `Bearer <subject>`."""

    async def user_info(self, request: UserInfoRequest, call: ServerCall) -> UserInfoResponse:
        subject = call.metadata.get("authorization", "").removeprefix("Bearer ")
        if not subject:
            abort(Status.UNAUTHENTICATED, "no identity")
        return UserInfoResponse(
            subject=subject,
            name="Ada Lovelace",
            given_name="Ada",
            family_name="Lovelace",
            preferred_username="ada",
            email="ada@example.com",
            picture="https://example.com/ada.png",
            additional_claims=Struct.of({"groups": ["analysts"], "level": 3}),
        )


class Login(AuthMetadataServiceBase):
    """Has a public client, and no authorization server unless a test names one."""

    def __init__(self, issuer: str = "") -> None:
        self.issuer = issuer

    async def get_o_auth2_metadata(
        self, request: GetOAuth2MetadataRequest, call: ServerCall
    ) -> GetOAuth2MetadataResponse:
        if not self.issuer:
            abort(Status.UNIMPLEMENTED, "no authorization server is configured")
        return GetOAuth2MetadataResponse(
            issuer=self.issuer, token_endpoint=f"{self.issuer}/token", scopes_supported=["openid"]
        )

    async def get_public_client_config(
        self, request: GetPublicClientConfigRequest, call: ServerCall
    ) -> GetPublicClientConfigResponse:
        return GetPublicClientConfigResponse(client_id="flytectl", scopes=["all"], audience="flyte")
