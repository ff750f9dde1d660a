"""Errors of calls, connections and waits, which every SDK on this runtime shares.

    SdkError
      InitializationError             no endpoint, project or domain is set
      AuthenticationError             logging in failed
      WaitTimeoutError                a wait timed out; nothing was aborted
      BlockingCallError               a blocking call that would wait for itself
      RpcError                        a call failed; one subclass per gRPC status
        UnavailableError
          EndpointError               nothing at the endpoint speaks gRPC or Connect
          ConnectionLostError         the connection broke during the call
        DecodeError                   the reply can't be decoded

Where Python has a class with the same meaning (`LookupError`, `ValueError`, ...), ours derives from it as well. Subclasses of
`OSError` are the exception: `except OSError` around the handling of files must not catch a failed call, so
`PermissionDeniedError` is no `PermissionError`, and `UnavailableError` no `ConnectionError`. Only timeouts are also Python's
`TimeoutError`, which `asyncio.timeout` raises too.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self

from .codec import wire
from .redaction import redact
from .status import Status as Status


class SdkError(Exception):
    """Base of all errors of this SDK."""


class InitializationError(SdkError, RuntimeError):
    """A call lacks settings, such as an endpoint or a project, or settings conflict."""


class AuthenticationError(SdkError, RuntimeError):
    """Logging in failed: the identity provider refused, a person did not answer, or a command failed."""


class BlockingCallError(SdkError, RuntimeError):
    """A blocking call or iteration was made in a place where it could never return."""


class SdkWarning(UserWarning):
    """Base of all warnings of this SDK, for filters of `warnings`."""


class BlockingCallWarning(SdkWarning, RuntimeWarning):
    """A blocking call was made in a coroutine, and stops its event loop until the call returns."""


class WaitTimeoutError(SdkError, TimeoutError):
    """A wait timed out. Nothing is aborted: the run or app continues."""

    def __init__(self, waited_for: str = "", *, elapsed: float = 0.0, last_phase: str = "") -> None:
        """Build the message.

        Args:
            waited_for: A noun phrase, such as `run r1 to end`.
            elapsed: Seconds waited.
            last_phase: The last known phase; empty if unknown.
        """
        super().__init__(waited_for)
        self.waited_for = waited_for
        self.elapsed = elapsed
        self.last_phase = last_phase

    def __str__(self) -> str:
        seen = f" (last phase: {self.last_phase})" if self.last_phase else ""
        return (
            f"Waited {self.elapsed:.1f} s for {self.waited_for}{seen}. "
            "Only the wait has ended, and nothing was aborted. Wait again, or use a larger timeout."
        )


class RpcError(SdkError):
    """A call to the control plane failed."""

    status: ClassVar[Status] = Status.UNKNOWN
    """The gRPC status of this class."""
    default_hint: ClassVar[str] = ""
    _unprocessed_hint: ClassVar[str] = ""
    """The hint when the server certainly did not act on the request. Default: `default_hint`."""
    _verb: ClassVar[str] = ""

    def __init__(self, message: str = "", *, hint: str = "", details: bytes = b"", unprocessed: bool = False) -> None:
        """Describe the failure. The call path adds method, endpoint and request id.

        Args:
            message: The failure. Credentials and URL queries are removed.
            hint: What to do next. Default: a hint for this status.
            details: The serialized `google.rpc.Status` that the server attached, if any.
            unprocessed: Whether it is certain that the server did not act on the request.
        """
        self.message = redact(message)
        self.hint = hint or (unprocessed and self._unprocessed_hint) or self.default_hint
        self.details = details
        self.unprocessed = unprocessed
        self.method = ""
        """`package.Service/Method`."""
        self.endpoint = ""
        self.request_id = ""
        """The `x-request-id` of the call, which operators can find in the server's log."""
        self.attempts = 1
        """Number of attempts."""
        super().__init__(self.message)

    def __str__(self) -> str:
        verb = self._verb or f"failed with {self.status.name}"
        text = f"{self.method or 'The call'} {verb}"
        if self.message:
            text += ": " + self.message.strip().rstrip(".")
        where = {"endpoint": self.endpoint, "request id": self.request_id}
        notes = [f"{name} {value}" for name, value in where.items() if value]
        if self.attempts > 1:
            notes.append(f"{self.attempts} attempts")
        if notes:
            text += f" ({', '.join(notes)})"
        return f"{text}. {self.hint}".rstrip()


class RpcCancelledError(RpcError):
    """The server cancelled the call."""

    status = Status.CANCELLED
    default_hint = "The server cancelled the call, often because it is shutting down; try again."


class UnknownError(RpcError):
    """The server failed with an unknown error."""

    status = Status.UNKNOWN
    default_hint = "This is a fault of the server; give its operators the request id."


class InvalidArgumentError(RpcError, ValueError):
    """The server rejects the request as it is."""

    status = Status.INVALID_ARGUMENT


class DeadlineExceededError(RpcError, TimeoutError):
    """The call exceeded its deadline."""

    status = Status.DEADLINE_EXCEEDED
    default_hint = (
        "The call may have taken effect: check before you repeat a change. "
        "Allow more time with Client(timeout=...) or client.with_options(timeout=...)."
    )
    _unprocessed_hint = (
        "The request was not sent. Check the endpoint, or allow more time with Client(timeout=...) or "
        "client.with_options(timeout=...)."
    )
    missing = ""
    """What had not happened at the deadline, if this client kept the time, such as `no reply`."""

    @classmethod
    def after(cls, missing: str, timeout: float | None, *, unprocessed: bool = False) -> Self:
        """Return the error of a deadline that this client kept.

        Args:
            missing: What had not happened, such as `no reply`.
            timeout: Seconds of the attempt.
            unprocessed: Whether it is certain that the server did not act on the request.
        """
        error = cls(unprocessed=unprocessed)
        error.missing = missing
        error.state_timeout(timeout)
        return error

    def state_timeout(self, timeout: float | None) -> None:
        """State this timeout in the message, such as that of the caller, of which an attempt has only what is left."""
        if self.missing:
            self.message = f"{self.missing} after {round(timeout or 0, 3):g} s"
            self.args = (self.message,)


class NotFoundError(RpcError, LookupError):
    """The resource does not exist."""

    status = Status.NOT_FOUND
    default_hint = "Check the name, and the project and domain that it was looked up in."


class AlreadyExistsError(RpcError):
    """The name is taken."""

    status = Status.ALREADY_EXISTS
    default_hint = "Choose another name, or use the existing resource."


class PermissionDeniedError(RpcError):
    """The caller is authenticated, but lacks the permission."""

    status = Status.PERMISSION_DENIED
    default_hint = "The credentials are accepted but do not allow this; ask for access, or check project and domain."


class ResourceExhaustedError(RpcError):
    """A quota or size limit is reached."""

    status = Status.RESOURCE_EXHAUSTED
    default_hint = "Request less at a time, or wait and try again."


class FailedPreconditionError(RpcError):
    """The state of the resource does not allow the call."""

    status = Status.FAILED_PRECONDITION
    default_hint = "Check the current state first."


class AbortedError(RpcError):
    """The call conflicts with a concurrent change of the same resource."""

    status = Status.ABORTED
    default_hint = "Fetch the current state and try again."


class OutOfRangeError(RpcError):
    """The request goes past the end of what exists."""

    status = Status.OUT_OF_RANGE


class UnimplementedError(RpcError, NotImplementedError):
    """The server does not implement the method."""

    status = Status.UNIMPLEMENTED
    _verb = "is not offered by the server (UNIMPLEMENTED)"
    default_hint = (
        "The server is older than this client, or runs without the service that has this method: "
        "upgrade the server, or avoid the call. Trying again does not help."
    )


class InternalError(RpcError):
    """The server failed internally."""

    status = Status.INTERNAL
    default_hint = "This is a fault of the server; give its operators the request id."


class UnavailableError(RpcError):
    """The server cannot be reached, or is temporarily unavailable."""

    status = Status.UNAVAILABLE
    default_hint = "The server, or a proxy in front of it, is not ready; try again shortly."


class EndpointError(UnavailableError):
    """Nothing at the endpoint speaks gRPC or Connect. The server did not act on the request."""

    _verb = "could not be sent"
    default_hint = "Check the endpoint of the client."


class ConnectionLostError(UnavailableError):
    """The connection broke, or the server reset the stream, during the call."""

    _verb = "lost its connection"
    default_hint = "The call may have taken effect: check before you repeat a change."
    _unprocessed_hint = "The server did not act on the call, so it is safe to repeat."

    def __init__(
        self,
        message: str = "",
        *,
        hint: str = "",
        details: bytes = b"",
        unprocessed: bool = False,
        refused: bool = False,
    ) -> None:
        """As `RpcError`.

        Args:
            message: What went wrong.
            hint: What to do next. Default: what usually helps.
            details: The serialized `google.rpc.Status`, if any.
            unprocessed: Whether it is certain that the server did not act on the request.
            refused: Whether the peer says that nothing acted on the request, which proxies also say when they cannot know.
        """
        super().__init__(message, hint=hint, details=details, unprocessed=unprocessed)
        self.refused = refused


class DataLossError(RpcError):
    """The server has lost data permanently."""

    status = Status.DATA_LOSS
    default_hint = "This is a fault of the server; give its operators the request id."


class UnauthenticatedError(RpcError):
    """The caller is not authenticated."""

    status = Status.UNAUTHENTICATED
    default_hint = "Create the client with a valid token=."
    renewed = False
    """Whether the client has new credentials since, so that a stream can be opened again."""


class DecodeError(RpcError, wire.DecodeError):
    """The reply is not a valid message of the method's response type."""

    status = Status.INTERNAL
    _verb = "got a reply that cannot be read"
    default_hint = (
        "Client and server may be built from incompatible definitions, or a proxy in between modifies messages."
    )


_BY_STATUS: dict[int, type[RpcError]] = {
    error.status: error for error in RpcError.__subclasses__() if error is not DecodeError
}


def rpc_error(status: int, message: str, **about: Any) -> RpcError:
    """Return the exception for a gRPC status; `about` is passed to its constructor. Unknown numbers become UNKNOWN."""
    return _BY_STATUS.get(status, UnknownError)(message, **about)
