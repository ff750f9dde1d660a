"""Which protocol a request speaks, and what answers requests that none of them takes."""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from flyte_rpc.calls.rpc import Cardinality, Effect
from flyte_rpc.serving.dispatch import Disconnected, Dispatcher, Method
from flyte_rpc.serving.service import Abort
from flyte_rpc.status import Status

from .codecs import JSON, PROTO, MessageCodec
from .exchange import Exchange, content_type
from .streams import CONNECT, GRPC_WEB, GRPC_WEB_TEXT, UNQUOTED, Envelopes, serve_stream
from .unary import respond_error, serve_get, serve_post

_log = logging.getLogger("flyte_rpc.server")

HEALTH = frozenset(("/healthz", "/readyz"))
"""Paths that say that the server accepts calls. They need no credentials."""

_TEXT = ("content-type", "text/plain; charset=utf-8")


class _Kind(NamedTuple):
    """What a content type stands for."""

    codec: MessageCodec
    envelopes: Envelopes | None
    """None for a body that is one message."""


_KINDS = {
    "application/proto": _Kind(PROTO, None),
    "application/json": _Kind(JSON, None),
    "application/connect+proto": _Kind(PROTO, CONNECT),
    "application/connect+json": _Kind(JSON, CONNECT),
    "application/grpc-web": _Kind(PROTO, GRPC_WEB),
    "application/grpc-web+proto": _Kind(PROTO, GRPC_WEB),
    "application/grpc-web+json": _Kind(JSON, GRPC_WEB),
    "application/grpc-web-text": _Kind(PROTO, GRPC_WEB_TEXT),
    "application/grpc-web-text+proto": _Kind(PROTO, GRPC_WEB_TEXT),
}


class Router:
    """Answers the requests of all connections, except calls over gRPC."""

    def __init__(self, dispatcher: Dispatcher, hosts: Collection[str] | None = None) -> None:
        """Make the router.

        Args:
            dispatcher: The methods.
            hosts: The host names that requests may be for, and come from. Default: all.
        """
        self._dispatcher = dispatcher
        self._hosts = hosts

    async def answer(self, exchange: Exchange) -> bool:
        """Answer a request. Returns whether the reply is complete; if not, the connection has to say so."""
        try:
            await self._answer(exchange)
        except Disconnected:
            return False
        except Exception as error:
            _log.error("%s %s failed", exchange.method, exchange.target.partition("?")[0], exc_info=error)
            return False
        return True

    async def _answer(self, exchange: Exchange) -> None:
        path, _, query = exchange.target.partition("?")
        if self._hosts is not None and (refusal := _foreign(exchange, self._hosts)):
            status, text = refusal
            await exchange.respond(status, [_TEXT], text.encode())
            return
        if path in HEALTH:
            if exchange.method in ("GET", "HEAD"):
                await exchange.respond(200, [_TEXT, ("cache-control", "no-store")], b"ok\n")
            else:
                await _refuse_method(exchange, "GET, HEAD")
            return
        method = self._dispatcher.methods.get(path)
        if method is None:
            await _not_found(exchange)
        elif exchange.method == "POST":
            await self._post(method, exchange)
        elif exchange.method == "GET" and _may_get(method):
            await serve_get(self._dispatcher, method, exchange, query)
        else:
            await _refuse_method(exchange, "GET, POST" if _may_get(method) else "POST")

    async def _post(self, method: Method, exchange: Exchange) -> None:
        given = content_type(exchange)
        kind = _KINDS.get(given)
        if kind is None or not _fits(kind, method):
            if given.startswith("application/grpc") and not given.startswith("application/grpc-web"):
                await exchange.respond(505, [_TEXT, ("connection", "close")], b"gRPC needs HTTP/2\n")
            else:
                await _refuse_type(exchange, method, given)
        elif method.rpc.cardinality is Cardinality.BIDI and exchange.http != "2":
            text = b"calls that stream in both directions need HTTP/2\n"
            await exchange.respond(505, [_TEXT, ("connection", "close")], text)
        elif kind.envelopes is None:
            await serve_post(self._dispatcher, method, exchange, kind.codec)
        else:
            await serve_stream(self._dispatcher, method, exchange, kind.codec, given, kind.envelopes)


def _foreign(exchange: Exchange, hosts: Collection[str]) -> tuple[int, str] | None:
    """Return why a request is none for this server, with its HTTP status; None for one that is.

    A page of another site can have its name resolved to this machine, or send requests across sites. It cannot choose these
    headers.
    """
    host = exchange.headers.get("host", "")
    if _name(f"//{host}") not in hosts:
        return 421, f"this server has no host {host!r}; it answers for {', '.join(sorted(hosts))}\n"
    origin = exchange.headers.get("origin")
    if origin is not None and origin.lower() != f"http://{host}".lower():
        return 403, f"requests of pages of {origin!r} are refused\n"
    return None


def _name(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _may_get(method: Method) -> bool:
    return method.rpc.effect is Effect.READ and method.rpc.cardinality is Cardinality.UNARY


def _fits(kind: _Kind, method: Method) -> bool:
    """Whether a method can be called with a content type. gRPC-Web has envelopes in unary calls, too; Connect has not."""
    unary = method.rpc.cardinality is Cardinality.UNARY
    enveloped = kind.envelopes is not None
    return kind.codec.fits(method.rpc) and (unary != enveloped or (unary and kind.envelopes not in (None, CONNECT)))


async def _refuse_type(exchange: Exchange, method: Method, given: str) -> None:
    taken = ", ".join(name for name, kind in _KINDS.items() if _fits(kind, method))
    shown = exchange.headers.get("content-type", "").strip() or "(none)"
    text = f"{method.rpc.service}.{method.rpc.method} does not take the content type {shown!r}\n"
    if not given and ";" in shown:
        text = f"the charset in the content type {shown!r} is not supported; use UTF-8\n"
    if (kind := _KINDS.get(given)) is not None and not kind.codec.fits(method.rpc):
        text = f"the messages of {method.rpc.service}.{method.rpc.method} have no JSON form; send protobuf\n"
    await exchange.respond(415, [_TEXT, ("accept-post", taken)], text.encode())


async def _refuse_method(exchange: Exchange, allowed: str) -> None:
    await exchange.respond(405, [_TEXT, ("allow", allowed)], f"use {allowed}\n".encode())


async def _not_found(exchange: Exchange) -> None:
    given = content_type(exchange)
    kind = _KINDS.get(given) if exchange.method == "POST" else None
    error = Abort(Status.UNIMPLEMENTED, f"there is no method {exchange.target.partition('?')[0]}")
    if kind is None and exchange.method == "POST" and given.startswith("application/grpc") and exchange.http == "2":
        # Trailers without a reply may be sent as headers. Some clients ignore them without a content type.
        status = ("grpc-status", str(error.status.value)), ("grpc-message", quote(error.message, safe=UNQUOTED))
        await exchange.respond(200, [("content-type", given), *status], b"")
    elif kind is None:
        await exchange.respond(404, [_TEXT], b"not found\n")
    elif kind.envelopes is None or kind.envelopes is CONNECT:
        await respond_error(exchange, error, 404)
    else:
        await exchange.start(200, [("content-type", given)])
        await exchange.write(kind.envelopes.written(kind.envelopes.end(error)))
        await exchange.end()
