"""The caller of an RPC. It is used for attribution only, not for authorization."""

from __future__ import annotations

from flyte_api.messages.flyteidl2.common.identifier import UserIdentifier
from flyte_api.messages.flyteidl2.common.identity import EnrichedIdentity, User
from flyte_rpc.serving.server import ServerCall

SUBJECT_HEADER = "x-amzn-oidc-identity"
"""The header in which a proxy in front of the real backend passes the caller's subject."""


def caller(call: ServerCall) -> tuple[str, EnrichedIdentity] | None:
    """Return the subject and identity of the caller, if the call has them."""
    subject = call.metadata.get(SUBJECT_HEADER, "")
    if not subject:
        return None
    return subject, EnrichedIdentity(user=User(id=UserIdentifier(subject=subject)))
