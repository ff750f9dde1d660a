"""IdentityService."""

from __future__ import annotations

from flyte_api.messages.flyteidl2.auth.identity import UserInfoRequest, UserInfoResponse
from flyte_api.messages.flyteidl2.common.identity import User, UserSpec
from flyte_api.services.flyteidl2.auth.identity_service import IdentityServiceBase
from flyte_rpc.serving.server import ServerCall, Status, abort

from . import caller


class IdentityService(IdentityServiceBase):
    """Returns the caller, according to the headers of the call."""

    async def user_info(self, request: UserInfoRequest, call: ServerCall) -> UserInfoResponse:
        """Return the caller's subject, and what the claims say about names and email address."""
        found = caller.caller(call)
        if found is None:
            headers = f"{caller.CLAIMS_HEADER} or {caller.SUBJECT_HEADER}"
            abort(Status.UNAUTHENTICATED, f"the call has no header {headers}, so the caller is unknown")
        subject, identity = found
        spec = (identity.user or User()).spec or UserSpec()
        return UserInfoResponse(
            subject=subject,
            name=f"{spec.first_name} {spec.last_name}".strip(),
            given_name=spec.first_name,
            family_name=spec.last_name,
            email=spec.email,
        )
