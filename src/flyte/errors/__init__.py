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

from .tasks import (
    APPLE_SILICON_ERRORS_BY_CODE,
    GPU_FAULT_CODES,
    ActionAbortedError,
    ActionNotFoundError,
    AppleSiliconBridgeUnreachableError,
    AppleSiliconDaemonOOMError,
    AppleSiliconDaemonStartFailedError,
    AppleSiliconError,
    AppleSiliconHostExecFailedError,
    AppleSiliconModelNotFoundError,
    AppleSiliconNotAvailableError,
    BaseRuntimeError,
    CodeBundleError,
    ConditionAlreadyExistsError,
    ConditionFailedError,
    ConditionNotFoundError,
    ConditionTimedoutError,
    CustomError,
    DeploymentError,
    GPUFaultError,
    GPUFaultSystemError,
    GPUFaultUserError,
    ImageBuildError,
    ImagePullBackOffError,
    InlineIOMaxBytesBreached,
    InvalidImageNameError,
    InvalidPackageError,
    LogsNotYetAvailableError,
    MaxQueuedTimeExceededError,
    MaxRuntimeExceededError,
    ModuleLoadError,
    NonRecoverableError,
    NotInTaskContextError,
    OnlyAsyncIOSupportedError,
    OOMError,
    ParameterMaterializationError,
    PrimaryContainerNotFoundError,
    RemoteTaskNotFoundError,
    RemoteTaskUsageError,
    RestrictedTypeError,
    RetriesExhaustedError,
    RuntimeDataValidationError,
    RuntimeSystemError,
    RuntimeUnknownError,
    RuntimeUserError,
    SlowDownError,
    SyncTaskCallInAsyncContextError,
    TaskInterruptedError,
    TaskTimeoutError,
    TraceDoesNotAllowNestedTasksError,
)

__all__ = [
    "APPLE_SILICON_ERRORS_BY_CODE",
    "GPU_FAULT_CODES",
    "AbortedError",
    "ActionAbortedError",
    "ActionNotFoundError",
    "AlreadyExistsError",
    "AppDeletedError",
    "AppFailedError",
    "AppStateError",
    "AppleSiliconBridgeUnreachableError",
    "AppleSiliconDaemonOOMError",
    "AppleSiliconDaemonStartFailedError",
    "AppleSiliconError",
    "AppleSiliconHostExecFailedError",
    "AppleSiliconModelNotFoundError",
    "AppleSiliconNotAvailableError",
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
    "GPUFaultError",
    "GPUFaultSystemError",
    "GPUFaultUserError",
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
    "SyncTaskCallInAsyncContextError",
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


UnionRpcError = RpcError
"""The official SDK's name for `RpcError`."""
