"""IdentityService."""

from __future__ import annotations

from flyte_api.messages.flyteidl2.auth.identity import UserInfoRequest, UserInfoResponse
from flyte_api.services.flyteidl2.auth.identity_service import IdentityServiceBase
from flyte_rpc.serving.server import ServerCall, Status, abort

from . import caller


class IdentityService(IdentityServiceBase):
    """Returns the caller, according to the headers of the call."""

    async def user_info(self, request: UserInfoRequest, call: ServerCall) -> UserInfoResponse:
        """Return the caller's subject; the devbox knows no names or email addresses."""
        found = caller.caller(call)
        if found is None:
            abort(Status.UNAUTHENTICATED, f"the call has no header {caller.SUBJECT_HEADER}, so the caller is unknown")
        return UserInfoResponse(subject=found[0])
