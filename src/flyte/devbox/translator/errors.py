"""Errors of translations."""

from __future__ import annotations

from flyte_rpc.status import Status


class TranslationError(Exception):
    """A type or value that cannot be translated."""

    def __init__(self, message: str, status: Status = Status.INVALID_ARGUMENT) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
