"""Every exception that this SDK raises on purpose.

    FlyteError
      InitializationError             no endpoint, project or domain is set
      AuthenticationError             logging in failed
      WaitTimeoutError                a wait timed out; the run continues
        UploadTimeoutError            a file was not uploaded in time
      NotDoneError                    the outcome was requested before the end
      AppStateError                   an app cannot reach the requested state
        AppFailedError, AppDeletedError
      BlockingCallError               a blocking call that would wait for itself
      BaseRuntimeError                a task failed, as opposed to a call
        RuntimeUserError, RuntimeSystemError, RuntimeUnknownError and their children
      RpcError                        a call failed; one subclass per gRPC status
        UnavailableError
          EndpointError               nothing at the endpoint speaks gRPC or Connect
          ConnectionLostError         the connection broke during the call
        DecodeError                   the reply can't be decoded
    FlyteWarning                      a `UserWarning`
      BlockingCallWarning             a blocking call stops an event loop
      PhaseSpellingWarning            a phase was compared with a name in capitals

Where Python has a class with the same meaning (`LookupError`, `ValueError`, ...), ours derives from it as well. Subclasses of
`OSError` are the exception: `except OSError` around the handling of files must not catch a failed call, so
`PermissionDeniedError` is no `PermissionError`, and `UnavailableError` no `ConnectionError`. Only timeouts are also Python's
`TimeoutError`, which `asyncio.timeout` raises too.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from flyte_rpc.errors import (
    AbortedError,
    AlreadyExistsError,
    AuthenticationError,
    BlockingCallError,
    BlockingCallWarning,
    ConnectionLostError,
    DataLossError,
    DeadlineExceededError,
    DecodeError,
    EndpointError,
    FailedPreconditionError,
    InitializationError,
    InternalError,
    InvalidArgumentError,
    NotFoundError,
    OutOfRangeError,
    PermissionDeniedError,
    ResourceExhaustedError,
    RpcCancelledError,
    RpcError,
    Status,
    UnauthenticatedError,
    UnavailableError,
    UnimplementedError,
    UnknownError,
    WaitTimeoutError,
    rpc_error,
)
from flyte_rpc.errors import SdkError as FlyteError
from flyte_rpc.errors import SdkWarning as FlyteWarning
from flyte_rpc.redaction import redact

__all__ = [
    "AbortedError",
    "ActionAbortedError",
    "AlreadyExistsError",
    "AppDeletedError",
    "AppFailedError",
    "AppStateError",
    "AuthenticationError",
    "BaseRuntimeError",
    "BlockingCallError",
    "BlockingCallWarning",
    "ConnectionLostError",
    "DataLossError",
    "DeadlineExceededError",
    "DecodeError",
    "EndpointError",
    "FailedPreconditionError",
    "FlyteError",
    "FlyteWarning",
    "ImagePullBackOffError",
    "InitializationError",
    "InternalError",
    "InvalidArgumentError",
    "InvalidImageNameError",
    "LogsNotYetAvailableError",
    "MaxQueuedTimeExceededError",
    "MaxRuntimeExceededError",
    "NotDoneError",
    "NotFoundError",
    "OOMError",
    "OutOfRangeError",
    "PermissionDeniedError",
    "PhaseSpellingWarning",
    "PrimaryContainerNotFoundError",
    "RemoteTaskNotFoundError",
    "RemoteTaskUsageError",
    "ResourceExhaustedError",
    "RetriesExhaustedError",
    "RpcCancelledError",
    "RpcError",
    "RuntimeSystemError",
    "RuntimeUnknownError",
    "RuntimeUserError",
    "Status",
    "TaskInterruptedError",
    "TaskTimeoutError",
    "UnauthenticatedError",
    "UnavailableError",
    "UnimplementedError",
    "UnknownError",
    "UploadTimeoutError",
    "WaitTimeoutError",
    "rpc_error",
]


class PhaseSpellingWarning(FlyteWarning):
    """A phase or state was compared with its name in capitals, which is never equal to it."""


class UploadTimeoutError(WaitTimeoutError):
    """A file was not uploaded in time."""

    def __init__(
        self, path: str = "", *, timeout: float = 0.0, elapsed: float = 0.0, attempts: int = 0, reason: str = ""
    ) -> None:
        """Build the message.

        Args:
            path: The file.
            timeout: Seconds that the upload was allowed to take.
            elapsed: Seconds that it took. Less than `timeout` if the storage asks for a longer wait than there is time for.
            attempts: How often the file was sent.
            reason: Why the last attempt failed; empty if it did not end.
        """
        super().__init__(f"the upload of {path}", elapsed=elapsed)
        self.path = path
        self.timeout = timeout
        self.attempts = attempts
        self.reason = redact(reason)

    def __str__(self) -> str:
        count = "1 attempt" if self.attempts == 1 else f"{self.attempts} attempts"
        last = f" The last attempt failed: {self.reason}." if self.reason else ""
        return (
            f"{self.path} was not uploaded: gave up after {self.elapsed:.1f} s and {count} (timeout: {self.timeout:g} s)."
            f"{last} Pass a longer timeout=."
        )


class NotDoneError(FlyteError, RuntimeError):
    """The run or action has not ended yet, so it has no outcome."""


class AppStateError(FlyteError, RuntimeError):
    """An app cannot reach the requested state."""


class AppFailedError(AppStateError):
    """The app could not be deployed, or failed."""


class AppDeletedError(AppStateError, LookupError):
    """The app was deleted."""


# --- tasks -----------------------------------------------------------------------------------------------------------


class BaseRuntimeError(FlyteError, RuntimeError):
    """A task failed, or was used incorrectly."""

    kind: ClassVar[Literal["user", "system", "unknown"]] = "unknown"
    """The origin of the error: "user", "system" or "unknown"."""

    def __init__(self, message: str = "", *, code: str = "", worker: str | None = None) -> None:
        """Describe the failure.

        Args:
            message: The failure, as reported by the code that detected it.
            code: The machine-readable reason. Default: the name of the class.
            worker: Where the failure happened, if known.
        """
        super().__init__(redact(message))
        self.code = code or type(self).__name__
        self.worker = worker

    @property
    def message(self) -> str:
        """The failure message."""
        return str(self)


class RuntimeUserError(BaseRuntimeError):
    """The task's own code or settings are at fault."""

    kind = "user"


class RuntimeSystemError(BaseRuntimeError):
    """The platform is at fault."""

    kind = "system"


class RuntimeUnknownError(BaseRuntimeError):
    """The backend did not report the origin of the error."""


class ActionAbortedError(RuntimeUserError):
    """The action was aborted before it could end."""


class LogsNotYetAvailableError(BaseRuntimeError):
    """The action has not written logs yet."""

    kind = "system"


class RemoteTaskNotFoundError(RuntimeUserError, LookupError):
    """No deployed task has this name and version."""


class RemoteTaskUsageError(RuntimeUserError, TypeError):
    """A deployed task was called or overridden incorrectly."""


class TaskTimeoutError(RuntimeUserError, TimeoutError):
    """The task exceeded one of its time limits."""


class MaxQueuedTimeExceededError(TaskTimeoutError):
    """The task exceeded its maximum time in the queue."""


class MaxRuntimeExceededError(TaskTimeoutError):
    """An attempt exceeded its maximum runtime."""


class OOMError(RuntimeUserError):
    """The task's container exceeded its memory limit."""


class TaskInterruptedError(RuntimeUserError):
    """The task's machine was preempted."""


class PrimaryContainerNotFoundError(RuntimeUserError):
    """The pod template has no container with the name that the task needs."""


class RetriesExhaustedError(RuntimeUserError):
    """The last retry of the task has failed."""


class InvalidImageNameError(RuntimeUserError):
    """The image's name cannot be parsed."""


class ImagePullBackOffError(RuntimeUserError):
    """The image cannot be pulled."""
