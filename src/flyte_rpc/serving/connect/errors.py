"""Errors as Connect sends them: JSON, and an HTTP status."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

from flyte_rpc.serving.service import Abort
from flyte_rpc.status import Status
from flyte_rpc.transports.connect.protocol import CODES

HTTP_STATUS = {
    Status.CANCELLED: 499,
    Status.UNKNOWN: 500,
    Status.INVALID_ARGUMENT: 400,
    Status.DEADLINE_EXCEEDED: 504,
    Status.NOT_FOUND: 404,
    Status.ALREADY_EXISTS: 409,
    Status.PERMISSION_DENIED: 403,
    Status.RESOURCE_EXHAUSTED: 429,
    Status.FAILED_PRECONDITION: 400,
    Status.ABORTED: 409,
    Status.OUT_OF_RANGE: 400,
    Status.UNIMPLEMENTED: 501,
    Status.INTERNAL: 500,
    Status.UNAVAILABLE: 503,
    Status.DATA_LOSS: 500,
    Status.UNAUTHENTICATED: 401,
}
"""The status of replies to unary calls that fail."""


def error_object(error: Abort) -> dict[str, Any]:
    """The JSON object of an error."""
    made: dict[str, Any] = {"code": CODES[error.status], "message": error.message}
    if error.details:
        made["details"] = [
            {"type": name, "value": b64encode(data).decode().rstrip("=")} for name, data in error.details
        ]
    return made


def error_body(error: Abort) -> bytes:
    """The body of a reply to a unary call that failed."""
    return json.dumps(error_object(error)).encode()


def end_of_stream(error: Abort | None) -> bytes:
    """The message that ends a stream."""
    return json.dumps({} if error is None else {"error": error_object(error)}).encode()
