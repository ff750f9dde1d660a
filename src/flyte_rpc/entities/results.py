"""The results of generated list, watch and stream methods."""

from __future__ import annotations

import base64
import json
import logging
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from copy import copy
from datetime import timedelta
from typing import Any, TypeVar, cast

from flyte_rpc.arguments import seconds
from flyte_rpc.calls.call_path import stream, unary
from flyte_rpc.calls.client import Client
from flyte_rpc.calls.rpc import Rpc
from flyte_rpc.codec.message import Message
from flyte_rpc.errors import InvalidArgumentError, NotFoundError, RpcError

from .entity import Entity, listing_key
from .pager import Page, Pager
from .stream import Stream
from .watch import Watch

T = TypeVar("T")
Req = TypeVar("Req", bound=Message)
Res = TypeVar("Res", bound=Message)
M = TypeVar("M", bound=Message)

_log = logging.getLogger("flyte_rpc.watch")


def as_is(item: Any, client: Client) -> Any:
    """Return the item unchanged, for methods that return messages instead of entities."""
    return item


def existing_reply(found: M | None, client: Client, rpc: Rpc[Req, Res], request: Req) -> M:
    """Return what a reply to a get method contains.

    Args:
        found: The message in the reply, None if it is unset. Some servers reply without the resource in place of an error.
        client: The client of the call.
        rpc: The method.
        request: The request, which the error quotes.

    Raises:
        NotFoundError: It is unset.
    """
    if found is not None:
        return found
    error = NotFoundError(
        f"the reply is empty, so there is nothing for {json.dumps(request.to_dict(), ensure_ascii=False)}"
    )
    error.method, error.endpoint = rpc.path[1:], client.endpoint
    raise error


def paged(
    make: Callable[[Any, Client], T],
    client: Client,
    rpc: Rpc[Req, Res],
    request: Req,
    *,
    items: Callable[[Res], Sequence[Any] | None],
    token: Callable[[Res], str | bytes | int | None] | None = None,
    page: str = "",
    names: tuple[str, str] = ("limit", "token"),
    keep: Callable[[T], bool] | None = None,
    limit: int | None,
    page_size: int | None = None,
    timeout: float | timedelta | None = None,
) -> Pager[T]:
    """The pager of a list method.

    Args:
        make: Converts an item and the client to the result: an entity class or `as_is`.
        client: The client for the calls.
        rpc: The list method.
        request: The request without limit and token.
        items: Reads the items of a reply.
        token: Reads the next page's token from a reply. Default: the method has no pages. The pager hands tokens on as text:
            bytes in base64, integers in digits.
        page: Field of the request whose message contains page size and token. Default: the request itself.
        names: The names of size ("" for none) and token in that message. Default: `limit` and `token`.
        keep: Selects items on the client if the server has no such filter. Default: all.
        limit: Maximum number of items; None for all.
        page_size: Items per request; None for the client's.
        timeout: Seconds for each page; None for the client's.

    Raises:
        TypeError: `timeout`, `limit` or `page_size` has the wrong type.
        ValueError: `timeout`, `limit` or `page_size` is out of range.
    """

    async def fetch(at: str, size: int) -> Page[T]:
        page_request = copy(request)
        if token is not None:
            holder: Any = page_request
            if page:
                holder = copy(getattr(page_request, page))
                setattr(page_request, page, holder)
            if names[0]:
                setattr(holder, names[0], size)
            if at:
                setattr(holder, names[1], _token_from_text(at, holder.specs()[names[1]].kind))
        try:
            reply = await unary(client, rpc, page_request)
        except InvalidArgumentError as error:
            error.hint = error.hint or _smaller_pages(error, size)
            raise
        entities = [make(item, client) for item in items(reply) or ()]
        if keep is not None:
            entities = [entity for entity in entities if keep(entity)]
        return Page(entities, "" if token is None else _token_as_text(token(reply)))

    size = client.page_size if page_size is None else page_size
    key = listing_key(cast("type[Entity[Any]]", make)) if _is_entity(make) else None
    return Pager(fetch, limit=limit, page_size=size, timeout=timeout, key=key)


def _token_as_text(token: str | bytes | int | None) -> str:
    return base64.urlsafe_b64encode(token).decode() if isinstance(token, bytes) else str(token or "")


def _token_from_text(token: str, kind: str) -> str | bytes | int:
    """Convert a token to the type of its field in the request. An unset field may be None, so its value has no type.

    Args:
        token: The token as text.
        kind: The protobuf type of the field.

    Raises:
        ValueError: It is no token of this listing.
    """
    try:
        if kind == "bytes":
            return base64.b64decode(token, altchars=b"-_", validate=True)
        return token if kind == "string" else int(token)
    except ValueError:
        raise ValueError(f"{token!r} is not a page token of this listing") from None


def _smaller_pages(error: InvalidArgumentError, size: int) -> str:
    """The hint for a request that may have asked for more items at a time than the server allows."""
    allowed = next(
        (int(n) for n in re.findall(r"(?:maximum|at most|limit)\D{0,20}(\d+)", error.message) if 0 < int(n) < size), 0
    )
    if not allowed:
        return ""
    return f"Pass page_size={allowed} or less, for requests of {size} items. `limit=` is the total and may be larger."


def watched(
    make: Callable[[Any, Client], T],
    client: Client,
    rpc: Rpc[Req, Res],
    request: Req,
    *,
    items: Callable[[Res], Sequence[Any]],
    final: Callable[[T], bool] | None = None,
    fetch: Callable[[], Awaitable[T | None]] | None = None,
    bounded: bool = False,
    about: str,
    timeout: float | timedelta | None,
) -> Watch[T]:
    """The watch of a streaming method.

    Args:
        make: Converts an item and the client to the result: an entity class or `as_is`.
        client: The client for the calls.
        rpc: The streaming method.
        request: The request.
        items: Reads the items of a reply; those that are None are skipped.
        final: Whether an item ends the watch. Default: the watch ends only at its timeout.
        fetch: Fetches the current item after a silence of the stream. Default: silences are waited out.
        bounded: Whether the watch is over when the server ends the stream without an error. Default: it subscribes again.
        about: The name of the watched resource in errors.
        timeout: Total seconds. None for no limit.
    """

    async def subscribe() -> AsyncGenerator[T]:
        async with aclosing(_items(stream(client, rpc, request), items)) as found:
            async for item in found:
                yield make(item, client)

    async def current() -> T | None:
        try:
            return None if fetch is None else await fetch()
        except RpcError as error:
            # The stream decides whether the watch fails.
            _log.debug("fetching %s after a silence of its watch failed: %s", about, error)
            return None

    return Watch(
        subscribe,
        is_final=final or (lambda item: False),
        timeout=timeout,
        bounded=bounded,
        fetch=None if fetch is None else current,
        reached=lambda: client.transport().connected,
        about=about,
        waited_for=f"{about} to end" if final else f"the watch of {about}, which does not end by itself",
        phase=lambda item: str(getattr(item, "phase", "")),
    )


def streamed(
    client: Client,
    rpc: Rpc[Req, Res],
    request: Req,
    *,
    items: Callable[[Res], Sequence[Any]],
    timeout: float | timedelta | None,
) -> Stream[Any]:
    """The stream of a method. Each loop opens it once and never reconnects, because that would deliver items twice.

    Raises:
        TypeError: `timeout` is not a number of seconds.
        ValueError: `timeout` is not positive.
    """
    if timeout is not None:
        seconds("timeout", timeout)
    return Stream(lambda: _items(stream(client, rpc, request, timeout=timeout), items))


def replies(client: Client, rpc: Rpc[Req, Res], request: Req, *, timeout: float | timedelta | None) -> Stream[Res]:
    """The stream of a method, as the messages of the server. See `streamed`."""
    return streamed(client, rpc, request, items=lambda reply: [reply], timeout=timeout)


def _is_entity(make: Callable[..., Any]) -> bool:
    return isinstance(make, type) and issubclass(make, Entity)


async def _items(
    replies: AsyncGenerator[Res, None], items: Callable[[Res], Sequence[Any]]
) -> AsyncGenerator[Any, None]:
    """Yield the items of all replies."""
    async with aclosing(replies):
        async for reply in replies:
            for item in items(reply):
                if item is not None:
                    yield item
