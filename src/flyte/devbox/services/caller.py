"""The caller of an RPC. It is used for attribution only, not for authorization."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from flyte_api.messages.flyteidl2.common.identifier import UserIdentifier
from flyte_api.messages.flyteidl2.common.identity import EnrichedIdentity, User, UserSpec
from flyte_rpc.serving.server import ServerCall
from flyte_rpc.typeguards import is_mapping

CLAIMS_HEADER = "x-amzn-oidc-data"
"""The header in which a proxy in front of the real backend passes the caller's claims, as a JWT."""
SUBJECT_HEADER = "x-amzn-oidc-identity"
"""The header in which such a proxy passes the caller's subject."""
_PARTS = 3


def caller(call: ServerCall) -> tuple[str, EnrichedIdentity] | None:
    """Return the subject and identity of the caller: from the claims, the subject header or a token that is a JWT."""
    bearer, _, token = call.metadata.get("authorization", "").partition(" ")
    return (
        _from_claims(call.metadata.get(CLAIMS_HEADER, ""))
        or _from_subject(call.metadata.get(SUBJECT_HEADER, ""))
        or (_from_claims(token.strip()) if bearer.lower() == "bearer" else None)
    )


def _from_subject(subject: str) -> tuple[str, EnrichedIdentity] | None:
    if not subject:
        return None
    return subject, EnrichedIdentity(user=User(id=UserIdentifier(subject=subject)))


def _from_claims(token: str) -> tuple[str, EnrichedIdentity] | None:
    """Read a JWT. Its signature is not checked, because the proxy has done that."""
    claims = _claims(token)
    subject = _text(claims, "sub")
    if not subject:
        return None
    spec = UserSpec(
        first_name=_text(claims, "given_name"), last_name=_text(claims, "family_name"), email=_text(claims, "email")
    )
    return subject, EnrichedIdentity(user=User(id=UserIdentifier(subject=subject), spec=spec))


def _claims(token: str) -> Mapping[str, Any]:
    """Return the claims of a JWT; empty for any other text."""
    parts = token.split(".")
    if len(parts) != _PARTS:
        return {}
    try:
        # Some proxies pad the parts, others do not.
        payload = parts[1].rstrip("=")
        found: object = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (ValueError, RecursionError):
        return {}
    return found if is_mapping(found) else {}


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    return value if isinstance(value, str) else ""
