"""Maps task failures reported by the backend to exceptions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import (
    APPLE_SILICON_ERRORS_BY_CODE,
    GPU_FAULT_CODES,
    BaseRuntimeError,
    GPUFaultError,
    GPUFaultSystemError,
    GPUFaultUserError,
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

if TYPE_CHECKING:
    from flyte_api.messages.flyteidl2.core.execution import GpuFault

_BY_EXACT_CODE: dict[str, type[RuntimeUserError]] = {
    **APPLE_SILICON_ERRORS_BY_CODE,
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


def task_error(
    kind: str, code: str, message: str, *, worker: str | None = None, fault: GpuFault | None = None
) -> BaseRuntimeError:
    """Return the exception for a task failure reported by the backend.

    Args:
        kind: `user`, `system`, or anything else for unknown.
        code: The reported reason. For `server|user` pairs, the second half is used.
        message: The reported message.
        worker: Where the failure happened, if known.
        fault: The fault of a GPU that caused it, if the server knows.
    """
    reason = code.rpartition("|")[2]
    if fault is not None or reason in GPU_FAULT_CODES:
        return _gpu_fault(kind.lower(), reason, message, worker, fault)
    found: type[BaseRuntimeError] = {"user": RuntimeUserError, "system": RuntimeSystemError}.get(
        kind.lower(), RuntimeUnknownError
    )
    if found is RuntimeUserError:
        folded = code.replace("_", "").lower()
        parts = (error for part, error in _BY_CODE_PART if part in folded)
        found = _BY_EXACT_CODE.get(reason) or next(parts, RuntimeUserError)
    return found(message, code=reason, worker=worker)


def _gpu_fault(kind: str, code: str, message: str, worker: str | None, fault: GpuFault | None) -> GPUFaultError:
    """Return the exception for a fault of a GPU. Servers without the details send the code only."""
    severity = "" if fault is None else fault.severity.name.lower()
    by_hardware = kind == "system" if kind in ("user", "system") else severity == "critical"
    error = (GPUFaultSystemError if by_hardware else GPUFaultUserError)(message, code=code, worker=worker)
    if fault is None:
        return error
    error.fault_kind = _known(fault.kind.name)
    error.fault_code = fault.code or None
    error.severity = _known(fault.severity.name)
    error.gpu_index = fault.gpu_index
    error.fault_name, error.gpu_uuid = fault.name or None, fault.gpu_uuid or None
    error.pci_bus_id, error.node, error.process = fault.pci_bus_id or None, fault.node or None, fault.process or None
    return error


def _known(name: str) -> str | None:
    return None if name == "UNSPECIFIED" else name.lower()
