"""Maps task failures reported by the backend to exceptions."""

from __future__ import annotations

from .errors import (
    BaseRuntimeError,
    ImagePullBackOffError,
    InvalidImageNameError,
    MaxQueuedTimeExceededError,
    MaxRuntimeExceededError,
    OOMError,
    PrimaryContainerNotFoundError,
    RetriesExhaustedError,
    RuntimeSystemError,
    RuntimeUnknownError,
    RuntimeUserError,
    TaskInterruptedError,
    TaskTimeoutError,
)

_BY_EXACT_CODE: dict[str, type[RuntimeUserError]] = {
    "QUEUED_TIMEOUT_EXCEEDED": MaxQueuedTimeExceededError,
    "MaxQueuedTimeExceededError": MaxQueuedTimeExceededError,
    "MAX_RUNTIME_EXCEEDED": MaxRuntimeExceededError,
    "MaxRuntimeExceededError": MaxRuntimeExceededError,
    "DEADLINE_EXCEEDED": TaskTimeoutError,
    "DeadlineExceededError": TaskTimeoutError,
}
_BY_CODE_PART: tuple[tuple[str, type[RuntimeUserError]], ...] = (
    ("oom", OOMError),
    ("interrupted", TaskInterruptedError),
    ("primarycontainernotfound", PrimaryContainerNotFoundError),
    ("retriesexhausted", RetriesExhaustedError),
    ("invalidimagename", InvalidImageNameError),
    ("imagepullbackoff", ImagePullBackOffError),
)


def origin_of(kind: str, code: str) -> str:
    """Return the origin and the reason of a failure for messages, such as `user error ValueError`."""
    origin = kind.lower() if kind.lower() in ("user", "system") else "unknown"
    return f"{origin} error {code.rpartition('|')[2]}".rstrip()


def task_error(kind: str, code: str, message: str, *, worker: str | None = None) -> BaseRuntimeError:
    """Return the exception for a task failure reported by the backend.

    Args:
        kind: `user`, `system`, or anything else for unknown.
        code: The reported reason. For `server|user` pairs, the second half is used.
        message: The reported message.
        worker: Where the failure happened, if known.
    """
    reason = code.rpartition("|")[2]
    found: type[BaseRuntimeError] = {"user": RuntimeUserError, "system": RuntimeSystemError}.get(
        kind.lower(), RuntimeUnknownError
    )
    if found is RuntimeUserError:
        folded = code.replace("_", "").lower()
        parts = (error for part, error in _BY_CODE_PART if part in folded)
        found = _BY_EXACT_CODE.get(reason) or next(parts, RuntimeUserError)
    return found(message, code=reason, worker=worker)
