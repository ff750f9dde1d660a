"""OpenTelemetry spans of calls. Import this module only in processes that have imported OpenTelemetry."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from opentelemetry import context, propagate, trace
from opentelemetry.util.types import AttributeValue

from flyte_rpc.errors import RpcError
from flyte_rpc.status import Status
from flyte_rpc.version import VERSION

from .client import Client
from .metadata import checked
from .rpc import Rpc

_log = logging.getLogger("flyte_rpc.calls")

_NAME = "flyte_rpc"
"""The name of the instrumentation."""
_SWITCH = "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"
"""The variable of OpenTelemetry that lists the instrumentations to turn off; `*` stands for all."""
_SUPPRESSED = getattr(context, "_SUPPRESS_INSTRUMENTATION_KEY", "suppress_instrumentation")
"""The key that `opentelemetry.instrumentation.utils.suppress_instrumentation` sets."""

_latest: tuple[trace.TracerProvider, trace.Tracer] | None = None
"""The provider of the last span, and its tracer: making a tracer costs as much as a span."""


class Span:
    """The span of one call, with all its attempts. Leaving the `with` block ends it."""

    def __init__(self, span: trace.Span, client: Client) -> None:
        """Wrap a span that was started."""
        self._span = span
        self._client = client
        self._retries = 0
        self._attributes: dict[str, AttributeValue] = {}
        """Set together at the end, because each change of a span takes its lock."""

    def headers(self, request_id: str, present: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        """Return the headers that tell the server the span, as the configured propagator writes them.

        Args:
            request_id: The id of the call.
            present: The headers of the call. They win over those of the propagator.
        """
        self._attributes["flyte_rpc.request_id"] = request_id
        carrier: dict[str, str] = {}
        propagate.inject(carrier, context=trace.set_span_in_context(self._span))
        names = {name for name, _ in present}
        return [pair for pair in ((name.lower(), value) for name, value in carrier.items()) if _fits(pair, names)]

    def retry(self, error: RpcError, delay: float) -> None:
        """Add the event of an attempt after which the call is sent again."""
        self._retries += 1
        attributes: dict[str, AttributeValue] = {
            "flyte_rpc.attempt": error.attempts,
            "flyte_rpc.delay": delay,
            "error.type": error.status.name,
            "exception.message": error.message,
        }
        self._span.add_event("retry", attributes)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        status = _status(error)
        connect = _is_connect(self._client)
        self._attributes["rpc.system"] = _system(connect)
        if self._retries:
            self._attributes["flyte_rpc.retries"] = self._retries
        if not connect and status is not None:
            self._attributes["rpc.grpc.status_code"] = int(status)
        elif status:  # a successful call of Connect has no code
            self._attributes["rpc.connect_rpc.error_code"] = status.name.lower()
        if error is not None and not isinstance(error, GeneratorExit):
            self._fail(error, status)
        self._span.set_attributes(self._attributes)
        self._span.end()

    def _fail(self, error: BaseException, status: Status | None) -> None:
        # Without the stack trace, whose causes have the server's text unredacted. Errors of other kinds may show arguments.
        message = error.message if isinstance(error, RpcError) else ""
        kind = type(error)
        self._attributes["error.type"] = kind.__qualname__ if status is None else status.name
        self._span.set_status(trace.Status(trace.StatusCode.ERROR, message or None))
        self._span.add_event(
            "exception",
            {"exception.type": f"{kind.__module__}.{kind.__qualname__}", "exception.message": message},
        )


def span_of(client: Client, rpc: Rpc[Any, Any]) -> Span | None:
    """Start the span of a call, as a child of the current span.

    Returns:
        The span; None if the spans of this library are turned off, or nobody receives them and there is no context to send.
    """
    if context.get_value(_SUPPRESSED) or _is_off(os.environ.get(_SWITCH, "")):
        return None
    endpoint = client.settings.endpoint
    attributes: dict[str, AttributeValue] = {
        "rpc.system": _system(client.settings.transport == "connect"),
        "rpc.service": rpc.service,
        "rpc.method": rpc.method,
        "server.address": endpoint.socket_path or endpoint.host,
    }
    if not endpoint.socket_path:
        attributes["server.port"] = endpoint.port
    span = _tracer().start_span(f"{rpc.service}/{rpc.method}", None, trace.SpanKind.CLIENT, attributes)
    if not span.get_span_context().is_valid and not context.get_current():
        return None
    return Span(span, client)


def _tracer() -> trace.Tracer:
    global _latest
    provider = trace.get_tracer_provider()
    if _latest is None or _latest[0] is not provider:
        _latest = provider, trace.get_tracer(_NAME, VERSION, provider)
    return _latest[1]


def _is_off(disabled: str) -> bool:
    return bool(disabled) and not {"*", _NAME}.isdisjoint(name.strip() for name in disabled.split(","))


def _fits(pair: tuple[str, str], present: set[str]) -> bool:
    try:
        checked((pair,))
    except ValueError as cause:
        _log.warning("A header of OpenTelemetry is not sent: %s", cause)
        return False
    return pair[0] not in present


def _status(error: BaseException | None) -> Status | None:
    """The status of a call that ended this way. None if it never came to a call, such as for an invalid argument."""
    match error:
        case None:
            return Status.OK
        case RpcError():
            return error.status
        case asyncio.CancelledError() | GeneratorExit():
            return Status.CANCELLED
        case _:
            return None


def _system(connect: bool) -> str:
    return "connect_rpc" if connect else "grpc"


def _is_connect(client: Client) -> bool:
    """Whether calls of a client go over Connect. With `transport="auto"`, the first call decides."""
    if client.closed:
        return client.settings.transport == "connect"
    return str(getattr(client.transport(), "description", "")).startswith("Connect")
