"""Descriptors of RPC methods, used by generated services."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from flyte_rpc.lazy import resolve

Req = TypeVar("Req")
Res = TypeVar("Res")
F = TypeVar("F", bound=Callable[..., Any])


class Cardinality(enum.Enum):
    """Which sides of a call stream."""

    UNARY = "unary"
    SERVER_STREAM = "server_stream"
    CLIENT_STREAM = "client_stream"
    BIDI = "bidi"


class Effect(enum.Enum):
    """Whether a call is safe to retry."""

    READ = "read"
    """No side effect: retried on transient failures."""
    IDEMPOTENT = "idempotent"
    """Repeating it has no further effect: retried on transient failures."""
    WRITE = "write"
    """Repeating it may do the work twice: never retried."""


class Rpc(Generic[Req, Res]):
    """One method of a service. Its message types are imported on first use."""

    __slots__ = ("_request", "_response", "cardinality", "deprecated", "effect", "method", "path", "service")

    def __init__(
        self,
        path: str,
        request: str,
        response: str,
        cardinality: Cardinality = Cardinality.UNARY,
        effect: Effect = Effect.WRITE,
        deprecated: str | None = None,
    ) -> None:
        """Describe a method.

        Args:
            path: gRPC path, `/package.Service/Method`.
            request: Import path of the request message, `module:Class`.
            response: Import path of the response message, `module:Class`.
            cardinality: Which sides are streams. Default: neither.
            effect: Whether it is safe to retry. Default: `WRITE`, never retried.
            deprecated: A sentence that names the replacement, or "" if there is none. Default: not deprecated.
        """
        self.path = path
        _, self.service, self.method = path.split("/")
        self._request = request
        self._response = response
        self.cardinality = cardinality
        self.effect = effect
        self.deprecated = deprecated

    @property
    def request_type(self) -> type[Req]:
        """The request message class."""
        found: type[Req] = resolve(self._request)
        return found

    @property
    def response_type(self) -> type[Res]:
        """The response message class."""
        found: type[Res] = resolve(self._response)
        return found

    def repeatable(self) -> Rpc[Req, Res]:
        """Return an idempotent copy, for requests that are safe to repeat, such as a create with a fixed name."""
        return Rpc(self.path, self._request, self._response, self.cardinality, Effect.IDEMPOTENT, self.deprecated)

    def __repr__(self) -> str:
        return f"<Rpc {self.service}.{self.method}>"


def deprecated_rpc(rpc: Rpc[Any, Any]) -> Callable[[F], F]:
    """Mark a function that calls a deprecated RPC. Methods of `flyte_rpc.sync.decorators` warn before they call it.

    The mark is the attribute that Python 3.13's `warnings.deprecated` sets, so other tools recognize it.
    """

    # Imported late, because RPC descriptors are also used without messages.
    from flyte_rpc.codec.deprecation import notice

    def mark(function: F) -> F:
        service = rpc.service.rpartition(".")[2]
        what = f"{function.__name__}() calls {service}.{rpc.method}, which"
        function.__dict__["__deprecated__"] = notice(what, rpc.deprecated or "")
        return function

    return mark
