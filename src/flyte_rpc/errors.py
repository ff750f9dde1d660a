"""Errors of calls, connections and waits, which every SDK on this runtime shares.

    SdkError
      InitializationError             no endpoint, project or domain is set
      AuthenticationError             logging in failed
      WaitTimeoutError                the wait ran out of time; nothing was aborted
      BlockingCallError               a blocking call that would wait for itself
      RpcError                        a call failed; one subclass per gRPC status
        UnavailableError
          EndpointError               nothing that speaks gRPC or Connect answers
          ConnectionLostError         the connection broke during the call
        DecodeError                   the reply is not the message that the method returns

Where Python has a class with the same meaning (`LookupError`, `TimeoutError`, ...), ours derives from it as well.
"""

from __future__ import annotations

from typing import Any, ClassVar

from .codec import wire
from .redaction import redact
from .status import Status as Status


class SdkError(Exception):
    """Base of all errors of this SDK."""


class InitializationError(SdkError, RuntimeError):
    """The SDK does not know enough to make the call: no endpoint, no project, conflicting settings."""


class AuthenticationError(SdkError, RuntimeError):
    """Logging in failed: the identity provider refused, a person did not answer, or a command failed."""


class BlockingCallError(SdkError, RuntimeError):
    """A blocking call or iteration was made where it could never return."""


class WaitTimeoutError(SdkError, TimeoutError):
    """A wait timed out. Nothing is aborted: the run or app goes on."""

    def __init__(self, waited_for: str = "", *, elapsed: float = 0.0, last_phase: str = "") -> None:
        """Build the message.

        Args:
            waited_for: A noun phrase, such as `run r1 to end`.
            elapsed: Seconds waited.
            last_phase: The phase that was seen last; empty when none was seen.
        """
        super().__init__(waited_for)
        self.waited_for = waited_for
        self.elapsed = elapsed
        self.last_phase = last_phase

    def __str__(self) -> str:
        seen = f" (last phase: {self.last_phase})" if self.last_phase else ""
        return (
            f"Waited {self.elapsed:.1f} s for {self.waited_for}{seen}. "
            "Only the wait has ended, nothing was aborted: wait again, or with a larger timeout."
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
        """Describe the failure; the call path adds where it happened.

        Args:
            message: What went wrong. Credentials and URL queries are taken out.
            hint: What to do next. Default: what usually helps with this status.
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
        """What the call carried as `x-request-id`: operators find it in the server's log."""
        self.attempts = 1
        """How many times the request was tried."""
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
    default_hint = "The server gave up the call, often because it is shutting down; try again."


class UnknownError(RpcError):
    """The server failed without saying how."""

    status = Status.UNKNOWN
    default_hint = "This is a fault of the server; give its operators the request id."


class InvalidArgumentError(RpcError, ValueError):
    """The server rejects the request as it is."""

    status = Status.INVALID_ARGUMENT


class DeadlineExceededError(RpcError, TimeoutError):
    """The call took longer than it may."""

    status = Status.DEADLINE_EXCEEDED
    default_hint = (
        "A change may have taken effect all the same: look before you repeat it. "
        "Allow more time with Client(timeout=...) or client.with_options(timeout=...)."
    )
    _unprocessed_hint = (
        "The request was not sent. Check the endpoint, or allow more time with Client(timeout=...) or "
        "client.with_options(timeout=...)."
    )


class NotFoundError(RpcError, LookupError):
    """The resource does not exist."""

    status = Status.NOT_FOUND
    default_hint = "Check the name, and the project and domain that it was looked up in."


class AlreadyExistsError(RpcError):
    """The name is taken."""

    status = Status.ALREADY_EXISTS
    default_hint = "Choose another name, or use what exists."


class PermissionDeniedError(RpcError, PermissionError):
    """The caller is known, and may not do this."""

    status = Status.PERMISSION_DENIED
    default_hint = "The credentials are accepted but do not allow this; ask for access, or check project and domain."


class ResourceExhaustedError(RpcError):
    """A quota or size limit is reached."""

    status = Status.RESOURCE_EXHAUSTED
    default_hint = "Ask for less at a time, or wait and try again."


class FailedPreconditionError(RpcError):
    """The thing is not in a state that allows this."""

    status = Status.FAILED_PRECONDITION
    default_hint = "Look at its current state first."


class AbortedError(RpcError):
    """The call conflicts with a concurrent change of the same resource."""

    status = Status.ABORTED
    default_hint = "Fetch the current state and try again."


class OutOfRangeError(RpcError):
    """The request goes past the end of what exists."""

    status = Status.OUT_OF_RANGE


class UnimplementedError(RpcError, NotImplementedError):
    """The server does not offer the method."""

    status = Status.UNIMPLEMENTED
    _verb = "is not offered by the server (UNIMPLEMENTED)"
    default_hint = (
        "The server is older than this client, or runs without the service that has this method: "
        "upgrade the server, or do without the call. Trying again does not help."
    )


class InternalError(RpcError):
    """The server broke."""

    status = Status.INTERNAL
    default_hint = "This is a fault of the server; give its operators the request id."


class UnavailableError(RpcError, ConnectionError):
    """The server cannot be reached, or cannot serve at the moment."""

    status = Status.UNAVAILABLE
    default_hint = "The server, or a proxy before it, is not ready; try again shortly."


class EndpointError(UnavailableError):
    """Nothing that speaks gRPC or Connect was reached at the endpoint. The server did not act on the request."""

    _verb = "could not be sent"
    default_hint = "Check the endpoint of the client."


class ConnectionLostError(UnavailableError):
    """The connection broke, or the server reset the stream, while the call was under way."""

    _verb = "lost its connection"
    default_hint = "It may have taken effect all the same: look before repeating a change."
    _unprocessed_hint = "The server did not act on it, so it is safe to repeat."

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
    """The server has lost data for good."""

    status = Status.DATA_LOSS
    default_hint = "This is a fault of the server; give its operators the request id."


class UnauthenticatedError(RpcError):
    """The server does not know the caller."""

    status = Status.UNAUTHENTICATED
    default_hint = "Create the client with a valid token=."
    renewed = False
    """Whether the client has new credentials since, so that a stream can be opened again."""


class DecodeError(RpcError, wire.DecodeError):
    """The reply is not the message that the method returns."""

    status = Status.INTERNAL
    _verb = "got a reply that cannot be read"
    default_hint = (
        "Client and server may be built from incompatible definitions, or something in between changes messages."
    )


_BY_STATUS: dict[int, type[RpcError]] = {
    error.status: error for error in RpcError.__subclasses__() if error is not DecodeError
}


def rpc_error(status: int, message: str, **about: Any) -> RpcError:
    """The exception for a gRPC status; `about` goes to its constructor. Numbers that gRPC does not define are UNKNOWN."""
    return _BY_STATUS.get(status, UnknownError)(message, **about)
