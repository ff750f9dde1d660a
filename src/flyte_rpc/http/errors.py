"""The error of an HTTP request."""

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
