"""Errors of tasks, as opposed to calls, under the names of the official SDK."""

from __future__ import annotations

from typing import ClassVar, Literal

from flyte_rpc.errors import AlreadyExistsError, NotFoundError
from flyte_rpc.errors import SdkError as FlyteError
from flyte_rpc.redaction import redact


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


class ImagePullBackOffError(RuntimeUserError):
    """The image cannot be pulled."""


class SyncTaskCallInAsyncContextError(RuntimeUserError):
    """A blocking call of a task was made where it would block the event loop of its parent."""


class GPUFaultError(BaseRuntimeError):
    """A fault of a GPU or NVSwitch made the task fail.

    Servers that do not classify faults report such a failure as another `BaseRuntimeError`. Any attribute may be None.

    Attributes:
        fault_kind: "xid" for a GPU, "sxid" for an NVSwitch.
        fault_code: Number of the fault. Numbers of the two kinds have different meanings: see `xid` and `sxid`.
        fault_name: Name of the fault.
        severity: "user", "warn" or "critical".
        gpu_uuid: UUID of the GPU.
        gpu_index: Index of the GPU on its machine.
        node: Name of the machine.
        pci_bus_id: PCI address of the GPU.
        process: The process that was affected.
    """

    fault_kind: str | None = None
    fault_code: int | None = None
    fault_name: str | None = None
    severity: str | None = None
    gpu_uuid: str | None = None
    gpu_index: int | None = None
    node: str | None = None
    pci_bus_id: str | None = None
    process: str | None = None

    @property
    def xid(self) -> int | None:
        """Number of the fault of a GPU; None for a fault of an NVSwitch."""
        return self.fault_code if self.fault_kind == "xid" else None

    @property
    def sxid(self) -> int | None:
        """Number of the fault of an NVSwitch; None for a fault of a GPU."""
        return self.fault_code if self.fault_kind == "sxid" else None


class GPUFaultUserError(GPUFaultError, RuntimeUserError):
    """The task's own code caused the fault, such as an access out of bounds. The GPU is fine."""

    kind = "user"


class GPUFaultSystemError(GPUFaultError, RuntimeSystemError):
    """The GPU or its machine is broken. The platform has retried the task without success."""

    kind = "system"


GPU_FAULT_CODES = (
    "GpuXidError",
    "GpuFallenOffBus",
    "GpuEccUncorrectable",
    "GpuRowRemapPending",
    "GpuNvlinkError",
    "GpuGspError",
)
"""Error codes of failures that the server attributes to a GPU or NVSwitch."""


class AppleSiliconError(RuntimeUserError):
    """A task could not use the GPU of a Mac, on a devbox of the official SDK.

    Attributes:
        code_name: The error code of the class.
        recoverable: Whether a retry can help.
    """

    code_name: ClassVar[str] = "APPLE_SILICON_ERROR"
    recoverable: ClassVar[bool] = True


class AppleSiliconNotAvailableError(AppleSiliconError):
    """The machine is no Mac with Apple silicon, or its devbox does not offer the GPU."""

    code_name = "APPLE_SILICON_NOT_AVAILABLE"
    recoverable = False


class AppleSiliconHostExecFailedError(AppleSiliconError):
    """The task could not be started on the Mac."""

    code_name = "APPLE_SILICON_HOST_EXEC_FAILED"
    recoverable = False


class AppleSiliconDaemonStartFailedError(AppleSiliconError):
    """The server of models on the Mac could not be started."""

    code_name = "APPLE_SILICON_DAEMON_START_FAILED"
    recoverable = False


class AppleSiliconDaemonOOMError(AppleSiliconError):
    """The Mac ran out of memory."""

    code_name = "APPLE_SILICON_DAEMON_OOM"


class AppleSiliconModelNotFoundError(AppleSiliconError):
    """The model to serve does not exist or cannot be loaded."""

    code_name = "APPLE_SILICON_MODEL_NOT_FOUND"
    recoverable = False


class AppleSiliconBridgeUnreachableError(AppleSiliconError):
    """The container lost the connection to the Mac, or never had one."""

    code_name = "APPLE_SILICON_BRIDGE_UNREACHABLE"


APPLE_SILICON_ERRORS_BY_CODE: dict[str, type[AppleSiliconError]] = {
    error.code_name: error
    for error in (
        AppleSiliconNotAvailableError,
        AppleSiliconHostExecFailedError,
        AppleSiliconDaemonStartFailedError,
        AppleSiliconDaemonOOMError,
        AppleSiliconModelNotFoundError,
        AppleSiliconBridgeUnreachableError,
    )
}
"""The errors of Apple silicon, by code."""
