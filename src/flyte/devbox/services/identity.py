"""IdentityService."""

from __future__ import annotations

from flyte_api.messages.flyteidl2.auth.identity import UserInfoRequest, UserInfoResponse
from flyte_api.services.flyteidl2.auth.identity_service import IdentityServiceBase
from flyte_rpc.serving.server import ServerCall, Status, abort

from . import caller


class IdentityService(IdentityServiceBase):
    """The caller, as the headers of the call identify it."""

    async def user_info(self, request: UserInfoRequest, call: ServerCall) -> UserInfoResponse:
        """The caller, who has no name or address here."""
        found = caller.caller(call)
        if found is None:
            abort(Status.UNAUTHENTICATED, f"the call does not say who makes it, in the header {caller.SUBJECT_HEADER}")
        return UserInfoResponse(subject=found[0])
