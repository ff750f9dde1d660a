"""Who makes a call: for attribution only, nothing is decided by it."""

from __future__ import annotations

from flyte_api.messages.flyteidl2.common.identifier import UserIdentifier
from flyte_api.messages.flyteidl2.common.identity import EnrichedIdentity, User
from flyte_rpc.serving.server import ServerCall

SUBJECT_HEADER = "x-amzn-oidc-identity"
"""Where a proxy in front of the real backend says who the caller is."""


def caller(call: ServerCall) -> tuple[str, EnrichedIdentity] | None:
    """The subject and identity of the caller, when the call tells."""
    subject = call.metadata.get(SUBJECT_HEADER, "")
    if not subject:
        return None
    return subject, EnrichedIdentity(user=User(id=UserIdentifier(subject=subject)))
