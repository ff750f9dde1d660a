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
        RuntimeUserError, RuntimeSystemError, RuntimeUnknownError and their children. Some of them exist only so that
        programs for the official SDK can name them: nothing here builds images or packages code.
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
    "ActionNotFoundError",
    "AlreadyExistsError",
    "AppDeletedError",
    "AppFailedError",
    "AppStateError",
    "AuthenticationError",
    "BaseRuntimeError",
    "BlockingCallError",
    "BlockingCallWarning",
    "CodeBundleError",
    "ConditionAlreadyExistsError",
    "ConditionFailedError",
    "ConditionNotFoundError",
    "ConditionTimedoutError",
    "ConnectionLostError",
    "CustomError",
    "DataLossError",
    "DeadlineExceededError",
    "DecodeError",
    "DeploymentError",
    "EndpointError",
    "FailedPreconditionError",
    "FlyteError",
    "FlyteWarning",
    "ImageBuildError",
    "ImagePullBackOffError",
    "InitializationError",
    "InlineIOMaxBytesBreached",
    "InternalError",
    "InvalidArgumentError",
    "InvalidImageNameError",
    "InvalidPackageError",
    "LogsNotYetAvailableError",
    "MaxQueuedTimeExceededError",
    "MaxRuntimeExceededError",
    "ModuleLoadError",
    "NonRecoverableError",
    "NotDoneError",
    "NotFoundError",
    "NotInTaskContextError",
    "OOMError",
    "OnlyAsyncIOSupportedError",
    "OutOfRangeError",
    "ParameterMaterializationError",
    "PermissionDeniedError",
    "PhaseSpellingWarning",
    "PrimaryContainerNotFoundError",
    "RemoteTaskNotFoundError",
    "RemoteTaskUsageError",
    "ResourceExhaustedError",
    "RestrictedTypeError",
    "RetriesExhaustedError",
    "RpcCancelledError",
    "RpcError",
    "RuntimeDataValidationError",
    "RuntimeSystemError",
    "RuntimeUnknownError",
    "RuntimeUserError",
    "SlowDownError",
    "Status",
    "TaskInterruptedError",
    "TaskTimeoutError",
    "TraceDoesNotAllowNestedTasksError",
    "UnauthenticatedError",
    "UnavailableError",
    "UnimplementedError",
    "UnionRpcError",
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
        self.message = redact(message)
        super().__init__(self.message)
        self.code = code or type(self).__name__
        self.worker = worker


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


class _MissingError(RuntimeUserError, NotFoundError):
    """Base of errors about missing resources that the official SDK treats as errors of tasks."""

    def __str__(self) -> str:
        return self.message


class RemoteTaskNotFoundError(_MissingError):
    """No deployed task has this name and version."""


class ActionNotFoundError(_MissingError):
    """The run has no such action."""


class ConditionNotFoundError(_MissingError):
    """The action has no such condition."""


class ConditionAlreadyExistsError(RuntimeUserError, AlreadyExistsError):
    """The action has a condition of this name already."""


class ConditionFailedError(RuntimeUserError):
    """A condition failed while a task waited for it."""


class ConditionTimedoutError(RuntimeUserError, TimeoutError):
    """Nobody signaled a condition in time."""


class RemoteTaskUsageError(RuntimeUserError, TypeError):
    """A deployed task was called or overridden incorrectly."""


class InlineIOMaxBytesBreached(RuntimeUserError, ValueError):
    """The inputs of a call are larger than `max_inline_io_bytes` of its task."""


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


class NotInTaskContextError(RemoteTaskUsageError):
    """The code requires a running task, and does not run in one."""


class NonRecoverableError(RuntimeUserError):
    """A task failed in a way that a retry cannot fix."""


class CustomError(RuntimeUserError):
    """A task raised an exception of a class that this process does not know."""


class RuntimeDataValidationError(RuntimeUserError, ValueError):
    """A value does not fit the type of its input or output."""


class RestrictedTypeError(RuntimeUserError, TypeError):
    """The type cannot be used for this purpose."""


class DeploymentError(RuntimeUserError):
    """A task could not be deployed."""


class ImageBuildError(RuntimeUserError):
    """An image could not be built."""


class CodeBundleError(RuntimeUserError):
    """The code of a task could not be packaged."""


class ModuleLoadError(RuntimeUserError):
    """A module of a task cannot be imported."""


class SlowDownError(RuntimeUserError):
    """A task asked its caller to make fewer calls."""


class OnlyAsyncIOSupportedError(RuntimeUserError):
    """Blocking code was used where only async code works."""


class ParameterMaterializationError(RuntimeUserError):
    """The value of a parameter of an app cannot be fetched."""


class TraceDoesNotAllowNestedTasksError(RuntimeUserError):
    """A traced function called a task."""


class InvalidPackageError(RuntimeUserError):
    """An image names a system package that does not exist."""


UnionRpcError = RpcError
"""The official SDK's name for `RpcError`."""


class ImagePullBackOffError(RuntimeUserError):
    """The image cannot be pulled."""
