"""Documents that a server offers over plain HTTP, beside its calls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from attrs import frozen


@frozen
class Page:
    """A reply to a GET request."""

    body: bytes
    status: int = 200
    content_type: str = "text/plain; charset=utf-8"


Pages = Mapping[str, Callable[[], Awaitable[Page]]]
"""Functions that make documents, by path. They answer everybody, without credentials."""
