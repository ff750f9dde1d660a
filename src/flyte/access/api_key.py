"""API keys, which have an endpoint and a client secret in one text."""

from __future__ import annotations

from base64 import b64decode
from contextlib import suppress

import attrs

from flyte.errors import InitializationError
from flyte_rpc.transports.endpoint import parse_endpoint

_NONE = ("", "None")
"""How keys write that there is no organization."""


@attrs.frozen
class ApiKey:
    """What an API key consists of."""

    endpoint: str
    client_id: str
    client_secret: str = attrs.field(repr=False)
    org: str
    """Empty if there is none."""


def parse_api_key(text: str) -> ApiKey:
    """Read an API key: base64 of `endpoint:client_id:client_secret:org`. The endpoint may have a scheme and a port.

    Raises:
        InitializationError: It is not an API key. The message repeats nothing of it.
    """
    compact = "".join(text.split()).replace("-", "+").replace("_", "/").rstrip("=")
    plain = ""
    with suppress(ValueError):  # which the errors of both steps are
        plain = b64decode(compact + "=" * (-len(compact) % 4), validate=True).decode()
    # From the right, since only the endpoint can have colons in it.
    endpoint, *rest = plain.rsplit(":", 3)
    usable = len(rest) == 3 and all(rest[:2]) and plain.isprintable()
    if usable:
        try:
            parse_endpoint(endpoint)
        except ValueError:
            usable = False
    if not usable:
        raise InitializationError(
            "The API key is not valid: it must be the base64 text of endpoint:client_id:client_secret:org. Copy it anew, "
            "without quotation marks and line breaks."
        )
    client_id, client_secret, org = rest
    return ApiKey(endpoint, client_id, client_secret, "" if org in _NONE else org)
