from __future__ import annotations

import pickle

import pytest

from flyte import errors
from flyte._task_errors import task_error
from flyte.errors import FlyteError, RpcError, Status, rpc_error
from flyte_api.messages.flyteidl2.core.execution import GpuFault, GpuFaultKind, GpuFaultSeverity
from flyte_rpc.redaction import redact

CLASSES = [found for found in vars(errors).values() if isinstance(found, type) and issubclass(found, FlyteError)]


@pytest.mark.parametrize("error", CLASSES, ids=lambda error: error.__name__)
def test_survives_pickling_with_everything_it_says(error: type[FlyteError]) -> None:
    made = error("it did not work")
    made.__dict__["request_id"] = "r1"
    again = pickle.loads(pickle.dumps(made))
    assert type(again) is error
    assert (str(again), again.__dict__) == (str(made), made.__dict__)
    assert "it did not work" in str(made)


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.OK])
def test_each_status_has_a_class(status: Status) -> None:
    error = rpc_error(status, "x")
    assert error.status is status
    assert type(error).__name__.replace("Rpc", "").removesuffix("Error").upper() == status.name.replace("_", "")


def test_a_status_that_grpc_does_not_define_is_unknown() -> None:
    assert type(rpc_error(77, "x")) is errors.UnknownError


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        (errors.NotFoundError, LookupError),
        (errors.DeadlineExceededError, TimeoutError),
        (errors.WaitTimeoutError, TimeoutError),
        (errors.TaskTimeoutError, TimeoutError),
        (errors.InvalidArgumentError, ValueError),
        (errors.DecodeError, ValueError),
        (errors.RemoteTaskNotFoundError, LookupError),
        (errors.AppFailedError, RuntimeError),
        (errors.AppDeletedError, LookupError),
    ],
)
def test_is_also_what_python_calls_it(error: type[Exception], builtin: type[Exception]) -> None:
    with pytest.raises(builtin):
        raise error("x")


def _subclasses(error: type[Exception]) -> set[type[Exception]]:
    return {error}.union(*map(_subclasses, error.__subclasses__()))


def test_only_timeouts_are_errors_of_the_operating_system() -> None:
    # `except OSError` around the handling of files must not catch a failed call.
    found = {error for error in _subclasses(RpcError) if issubclass(error, OSError)}
    assert errors.UnavailableError in _subclasses(RpcError)
    assert found == {errors.DeadlineExceededError}
    assert issubclass(errors.DeadlineExceededError, TimeoutError)


def test_says_what_where_and_what_next() -> None:
    error = errors.NotFoundError("run not found: r1.", hint="Look again.")
    error.method, error.endpoint, error.request_id = "pkg.RunService/Get", "http://h:1", "abc"
    assert str(error) == (
        "pkg.RunService/Get failed with NOT_FOUND: run not found: r1 (endpoint http://h:1, request id abc). Look again."
    )
    error.attempts = 4
    assert "(endpoint http://h:1, request id abc, 4 attempts)" in str(error)


def test_is_readable_without_any_of_it() -> None:
    assert str(RpcError()) == "The call failed with UNKNOWN."


def test_keeps_credentials_out() -> None:
    signed = "https://bucket.s3.example/key?X-Amz-Signature=deadbeef&X-Amz-Credential=me"
    for error in (errors.InternalError(f"PUT {signed}: 403"), errors.RuntimeUserError(f"GET {signed}: 403")):
        assert "deadbeef" not in str(error) + repr(error) + error.message
        assert "https://bucket.s3.example/key?***" in str(error)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("see http://u:p@h/x?sig=1 now", "see http://***@h/x?*** now"),
        ("Authorization: Bearer abc.def-ghi", "Authorization: Bearer ***"),
        ("basic dXNlcjpwYXNz", "basic ***"),
        ("a 'https://h/p?q=1' b", "a 'https://h/p?***' b"),
        ("is it basic? yes", "is it basic? yes"),
        ("https://h/p is fine", "https://h/p is fine"),
        ("the token s3cret-1 was refused", "the token *** was refused"),
    ],
)
def test_redaction(text: str, shown: str) -> None:
    assert redact(text, "s3cret-1", None, "") == shown


@pytest.mark.parametrize(
    ("kind", "code", "expected"),
    [
        ("user", "ValueError", errors.RuntimeUserError),
        ("USER", "user|OOMKilled", errors.OOMError),
        ("user", "RetriesExhausted|Unknown", errors.RetriesExhaustedError),
        ("user", "sys|QUEUED_TIMEOUT_EXCEEDED", errors.MaxQueuedTimeExceededError),
        ("user", "MAX_RUNTIME_EXCEEDED", errors.MaxRuntimeExceededError),
        ("user", "DEADLINE_EXCEEDED", errors.TaskTimeoutError),
        ("user", "Interrupted", errors.TaskInterruptedError),
        ("user", "PrimaryContainerNotFound", errors.PrimaryContainerNotFoundError),
        ("user", "InvalidImageName", errors.InvalidImageNameError),
        ("user", "ImagePullBackOff", errors.ImagePullBackOffError),
        ("system", "OOMKilled", errors.RuntimeSystemError),
        ("user", "APPLE_SILICON_DAEMON_OOM", errors.AppleSiliconDaemonOOMError),
        ("user", "GpuXidError", errors.GPUFaultUserError),
        ("system", "GpuFallenOffBus", errors.GPUFaultSystemError),
        ("unspecified", "", errors.RuntimeUnknownError),
    ],
)
def test_failures_of_tasks(kind: str, code: str, expected: type[errors.BaseRuntimeError]) -> None:
    error = task_error(kind, code, "boom", worker="w1")
    assert type(error) is expected
    assert (str(error), error.worker) == ("boom", "w1")
    assert error.code == (code.rpartition("|")[2] or expected.__name__)


def test_faults_of_gpus() -> None:
    fault = GpuFault(
        kind=GpuFaultKind.XID,
        code=79,
        name="GPU has fallen off the bus",
        severity=GpuFaultSeverity.CRITICAL,
        gpu_uuid="GPU-1",
        gpu_index=0,
        node="n1",
    )
    error = task_error("unknown", "GpuFallenOffBus", "boom", fault=fault)
    assert isinstance(error, errors.GPUFaultSystemError) and isinstance(error, errors.RuntimeSystemError)
    assert (error.xid, error.sxid, error.kind, error.severity) == (79, None, "system", "critical")
    assert (error.gpu_uuid, error.gpu_index, error.node, error.process) == ("GPU-1", 0, "n1", None)
    fault = GpuFault(kind=GpuFaultKind.SXID, code=12)
    error = task_error("user", "AnyCode", "boom", fault=fault)
    assert isinstance(error, errors.GPUFaultUserError) and isinstance(error, errors.RuntimeUserError)
    assert (error.xid, error.sxid, error.kind, error.severity, error.gpu_index) == (None, 12, "user", None, None)
    without = task_error("user", "GpuXidError", "boom")
    assert isinstance(without, errors.GPUFaultError) and without.xid is None


def test_a_wait_that_ran_out_says_that_nothing_was_aborted() -> None:
    error = errors.WaitTimeoutError("run r1 to end", elapsed=12.34, last_phase="running")
    assert str(error).startswith("Waited 12.3 s for run r1 to end (last phase: running). Only the wait has ended")
