"""AuthMetadataService, and the same answer over plain HTTP. A devbox has no authorization server."""

from __future__ import annotations

import json
from collections.abc import Callable

from flyte_api.messages.flyteidl2.auth.auth_service import (
    GetOAuth2MetadataRequest,
    GetOAuth2MetadataResponse,
    GetPublicClientConfigRequest,
    GetPublicClientConfigResponse,
)
from flyte_api.services.flyteidl2.auth.auth_metadata_service import AuthMetadataServiceBase
from flyte_rpc.serving.server import Page, ServerCall, Status, abort

WELL_KNOWN = "/.well-known/oauth-authorization-server"
"""Path of the document of RFC 8414."""

OPEN = frozenset(rpc.path for _, rpc in AuthMetadataServiceBase.RPCS)
"""Paths of the calls that need no credentials, because programs make them before they log in."""


class AuthMetadataService(AuthMetadataServiceBase):
    """Says how to log in: with the token of the devbox, and nowhere else."""

    def __init__(self, endpoint: Callable[[], str]) -> None:
        self._endpoint = endpoint

    async def get_o_auth2_metadata(
        self, request: GetOAuth2MetadataRequest, call: ServerCall
    ) -> GetOAuth2MetadataResponse:
        """Refuse: no authorization server issues tokens for the devbox."""
        abort(Status.UNIMPLEMENTED, _NO_SERVER)

    async def get_public_client_config(
        self, request: GetPublicClientConfigRequest, call: ServerCall
    ) -> GetPublicClientConfigResponse:
        """Return the header of the token, and the address of the devbox. There is no OAuth client."""
        return GetPublicClientConfigResponse(
            authorization_metadata_key="authorization", dataplane_domain=self._endpoint()
        )

    async def document(self) -> Page:
        """Return the document at `WELL_KNOWN`, which is the error of `get_o_auth2_metadata`."""
        body = json.dumps({"code": Status.UNIMPLEMENTED.name.lower(), "message": _NO_SERVER})
        return Page(body.encode(), 501, "application/json")


_NO_SERVER = "the devbox has no authorization server; use the token in the file `token` in its directory"
