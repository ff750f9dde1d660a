"""The ways in which an attempt can succeed or fail, and the errors that clients get."""

from __future__ import annotations

import signal
from collections.abc import Sequence

from attrs import frozen

from flyte.devbox.data.blobs import BlobError, Blobs
from flyte_api.messages.flyteidl2.core.execution import ContainerErrorKind, ErrorDocument, ExecutionErrorErrorKind
from flyte_api.messages.flyteidl2.task.common import Outputs
from flyte_api.messages.flyteidl2.workflow.run_definition import ErrorInfo, ErrorInfoKind
from flyte_rpc.codec.wire import DecodeError

OUTPUTS = "outputs.pb"
ERROR = "error.pb"
REPORT = "report.html"


@frozen
class Success:
    """The attempt succeeded."""


@frozen
class Failure:
    """The attempt failed."""

    code: str
    message: str
    kind: ErrorInfoKind = ErrorInfoKind.USER
    retryable: bool = False

    def error_info(self) -> ErrorInfo:
        """Return the failure as a message for clients."""
        return ErrorInfo(code=self.code, message=self.message, kind=self.kind)


def max_runtime_exceeded(seconds: float) -> Failure:
    """An attempt ran longer than its task allows."""
    message = f"the attempt ran longer than its timeout of {seconds:g} s and was killed"
    return Failure("MAX_RUNTIME_EXCEEDED", message, retryable=True)


def queued_timeout_exceeded(seconds: float) -> Failure:
    """The action was not started in time."""
    message = f"the action waited longer than its queued timeout of {seconds:g} s"
    return Failure("QUEUED_TIMEOUT_EXCEEDED", message)


def deadline_exceeded(seconds: float) -> Failure:
    """The action, with all its attempts, took too long."""
    return Failure("DEADLINE_EXCEEDED", f"the action did not end within its deadline of {seconds:g} s")


def devbox_died(pid: int | None) -> Failure:
    """The devbox was killed while the action was running, and noticed that on restart."""
    process = f" as process {pid}" if pid else ""
    message = (
        f"the devbox stopped unexpectedly while this action was running{process}; "
        "its remaining processes were killed; create a new run to start it again"
    )
    return Failure("DevboxRestarted", message, ErrorInfoKind.SYSTEM)


def read_result(
    blobs: Blobs, directory: str, exit_code: int, expects_outputs: bool, last_lines: Sequence[str]
) -> Success | Failure:
    """Determine the result of an attempt.

    Args:
        blobs: The storage with its files.
        directory: URI of its output directory.
        exit_code: Exit code of the process; negative for the signal that killed it.
        expects_outputs: Whether the task's interface has outputs.
        last_lines: The end of its log, quoted if there is no better explanation.
    """
    try:
        error = blobs.read(f"{directory}/{ERROR}")
        if error is not None:
            return _read_error(error)
        if exit_code:
            return _from_exit_code(exit_code, last_lines)
        outputs = blobs.read(f"{directory}/{OUTPUTS}")
    except BlobError as failed:
        return Failure("OutputsNotReadable", str(failed), ErrorInfoKind.SYSTEM)
    if outputs is None:
        if expects_outputs:
            message = f"the task ended without writing its outputs to {directory}/{OUTPUTS}"
            return Failure("OutputsNotFound", message)
        return Success()
    try:
        # Decode a copy completely, to find damage that lazy decoding would only show to the client.
        Outputs.parse(outputs).to_dict()
    except DecodeError as failed:
        return Failure("OutputsBadFormat", f"{directory}/{OUTPUTS} is not a flyteidl2.task.Outputs: {failed}")
    return Success()


def _read_error(data: bytes) -> Failure:
    try:
        error = ErrorDocument.parse(data).error
        if error is None:
            raise DecodeError("it contains no error")
        kind = {
            ExecutionErrorErrorKind.USER: ErrorInfoKind.USER,
            ExecutionErrorErrorKind.SYSTEM: ErrorInfoKind.SYSTEM,
        }.get(error.origin, ErrorInfoKind.UNSPECIFIED)
        return Failure(error.code, error.message, kind, retryable=error.kind == ContainerErrorKind.RECOVERABLE)
    except DecodeError as failed:
        message = f"the task failed, and its error.pb is not readable: {failed}"
        return Failure("ErrorFileBadFormat", message, ErrorInfoKind.SYSTEM, retryable=True)


def _from_exit_code(exit_code: int, last_lines: Sequence[str]) -> Failure:
    quoted = "".join(f"\n{line}" for line in last_lines)
    end = f"; its last output was:{quoted}" if quoted else "; it printed nothing"
    if exit_code > 0:
        return Failure("Error", f"the command exited with code {exit_code}{end}", retryable=True)
    name = signal.Signals(-exit_code).name
    code = "Interrupted" if -exit_code == signal.SIGKILL else "Error"
    return Failure(code, f"the command was killed by {name} (exit code {128 - exit_code}){end}", retryable=True)
