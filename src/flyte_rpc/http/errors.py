"""The errors of HTTP requests."""

from __future__ import annotations

from flyte_rpc.errors import SdkError


class HttpError(SdkError, ConnectionError):
    """An HTTP request got no usable reply. The message has the address without its query."""

    def __init__(self, message: str, *, unsent: bool = False, transient: bool = False) -> None:
        """Describe the failure.

        Args:
            message: What failed, and where.
            unsent: Whether it is certain that the server did not read the request.
            transient: Whether the same request may succeed later.
        """
        super().__init__(message)
        self.unsent = unsent
        self.transient = transient


class HttpUrlError(HttpError, ValueError):
    """A URL is not well-formed. Nothing was sent."""


class HttpTimeoutError(HttpError, TimeoutError):
    """The server did not reply in time."""


class HttpStatusError(HttpError):
    """The server refused a request."""

    def __init__(self, message: str, status: int, retry_after: float | None, *, transient: bool) -> None:
        """Describe the refusal.

        Args:
            message: What failed, and where.
            status: The HTTP status.
            retry_after: Seconds after which the server wants the request again; None if it did not say.
            transient: Whether the same request may succeed later.
        """
        super().__init__(message, transient=transient)
        self.status = status
        self.retry_after = retry_after
