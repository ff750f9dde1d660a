"""Every exception that this SDK raises on purpose.

    FlyteError
      InitializationError             no endpoint, project or domain is set
      WaitTimeoutError                a wait timed out; the run goes on
      NotDoneError                    the outcome was asked for before the end
      AppStateError                   an app cannot reach the requested state
        AppFailedError, AppDeletedError
      BlockingCallError               a blocking call where it would wait for itself
      BaseRuntimeError                how a task, not a call, went wrong
        RuntimeUserError, RuntimeSystemError, RuntimeUnknownError and their children
      RpcError                        a call failed; one subclass per gRPC status
        UnavailableError
          EndpointError               nothing that speaks gRPC was reached
          ConnectionLostError         the connection broke during the call
        DecodeError                   the reply is not what the method returns

Where Python has a class with the same meaning (`LookupError`, `TimeoutError`, ...), ours derives from it as well.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from flyte_rpc.errors import (
    AbortedError,
    AlreadyExistsError,
    BlockingCallError,
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
from flyte_rpc.redaction import redact

__all__ = [
    "AbortedError",
    "ActionAbortedError",
    "AlreadyExistsError",
    "AppDeletedError",
    "AppFailedError",
    "AppStateError",
    "BaseRuntimeError",
    "BlockingCallError",
    "ConnectionLostError",
    "DataLossError",
    "DeadlineExceededError",
    "DecodeError",
    "EndpointError",
    "FailedPreconditionError",
    "FlyteError",
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
    "WaitTimeoutError",
    "rpc_error",
]


class NotDoneError(FlyteError, RuntimeError):
    """It has not ended yet, so there is no outcome."""


class AppStateError(FlyteError, RuntimeError):
    """An app cannot reach the requested state."""


class AppFailedError(AppStateError):
    """The app could not be deployed, or broke."""


class AppDeletedError(AppStateError, LookupError):
    """The app was deleted."""


# --- tasks -----------------------------------------------------------------------------------------------------------


class BaseRuntimeError(FlyteError, RuntimeError):
    """A task, or the use of one, went wrong."""

    kind: ClassVar[Literal["user", "system", "unknown"]] = "unknown"
    """Whose fault it is."""

    def __init__(self, message: str = "", *, code: str = "", worker: str | None = None) -> None:
        """Describe the failure.

        Args:
            message: The failure, as reported by the code that detected it.
            code: The machine-readable reason. Default: the name of the class.
            worker: Where it happened, when known.
        """
        super().__init__(redact(message))
        self.code = code or type(self).__name__
        self.worker = worker

    @property
    def message(self) -> str:
        """What happened."""
        return str(self)


class RuntimeUserError(BaseRuntimeError):
    """The task's own code or settings are at fault."""

    kind = "user"


class RuntimeSystemError(BaseRuntimeError):
    """The platform is at fault."""

    kind = "system"


class RuntimeUnknownError(BaseRuntimeError):
    """The backend did not say whose fault it is."""


class ActionAbortedError(RuntimeUserError):
    """The action was aborted before it could end."""


class LogsNotYetAvailableError(BaseRuntimeError):
    """The action has not written logs yet."""

    kind = "system"


class RemoteTaskNotFoundError(RuntimeUserError, LookupError):
    """No deployed task has this name and version."""


class RemoteTaskUsageError(RuntimeUserError, TypeError):
    """A deployed task was called or overridden in a way that it does not allow."""


class TaskTimeoutError(RuntimeUserError, TimeoutError):
    """The task ran out of the time that its settings allow."""


class MaxQueuedTimeExceededError(TaskTimeoutError):
    """The task waited in the queue for longer than it may."""


class MaxRuntimeExceededError(TaskTimeoutError):
    """An attempt ran for longer than it may."""


class OOMError(RuntimeUserError):
    """The task's container needed more memory than it may use."""


class TaskInterruptedError(RuntimeUserError):
    """The task's machine was taken away."""


class PrimaryContainerNotFoundError(RuntimeUserError):
    """The pod template has no container of the name that the task needs."""


class RetriesExhaustedError(RuntimeUserError):
    """The last attempt that the task is allowed has failed too."""


class InvalidImageNameError(RuntimeUserError):
    """The image's name cannot be parsed."""


class ImagePullBackOffError(RuntimeUserError):
    """The image cannot be pulled."""
