"""The base of generated entities, and the few functions their methods are made of."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Collection, Iterator, Sequence
from contextlib import aclosing
from copy import copy
from typing import Any, ClassVar, Generic, Self, TypeVar

import attrs

from flyte_rpc.calls.call_path import stream, unary
from flyte_rpc.calls.client import Client
from flyte_rpc.calls.registry import ClientRegistry
from flyte_rpc.calls.rpc import Rpc
from flyte_rpc.codec.message import Message

from .pager import Page, Pager
from .stream import Stream
from .watch import Watch

M = TypeVar("M", bound=Message)
T = TypeVar("T")
Req = TypeVar("Req", bound=Message)
Res = TypeVar("Res", bound=Message)


@attrs.define(eq=False, repr=False, slots=False)
class Entity(Generic[M]):
    """A thing on the control plane, as it was when it was read.

    Two entities are equal, and hash alike, when they name the same thing, whatever state either shows.

    Attributes:
        pb2: The message the entity wraps.
    """

    _registry: ClassVar[ClientRegistry]
    """The registry of the generated package, with the client of calls that are given none."""

    pb2: M
    _client: Client | None = None

    @property
    def client(self) -> Client:
        """The client the entity was read with, else the current one."""
        return self._registry.resolve(self._client)

    def _key(self) -> tuple[object, ...]:
        """What names the thing, without the organization, which servers leave out of some replies."""
        raise NotImplementedError

    def _label(self) -> str:
        """What an error calls the thing: `action r1/a0`."""
        key = self._key()
        return f"{type(self).__name__.lower()} {'/'.join(map(str, key[2:] or key))}"

    def _identity(self) -> Any:
        """What names the thing: a message or a plain value, None where it is missing."""
        raise NotImplementedError

    def _shown(self) -> Iterator[tuple[str, object]]:
        """Names and values that a repr shows. Default: what names the thing."""
        identity = self._identity()
        if isinstance(identity, Message):
            yield from _named(dict(_leaves(identity)))
        elif identity is not None:
            yield self._name_of(identity), identity

    def _name_of(self, identity: object) -> str:
        """The name of the generated property that reads the identity, where that is a plain value."""
        generated = next(cls for cls in type(self).__mro__ if "_identity" in vars(cls))
        properties = (name for name, found in vars(generated).items() if isinstance(found, property))
        return next((name for name in properties if getattr(self, name) == identity), "id")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, type(self)) or type(self) is not type(other):
            return NotImplemented
        return self._key() == other._key()

    def __hash__(self) -> int:
        return hash((type(self).__name__, self._key()))

    def __rich_repr__(self) -> Iterator[tuple[str, object]]:
        try:
            for name, value in self._shown():
                if value not in (None, "", (), [], {}):
                    yield name, value
        except ValueError as cause:  # a part that cannot be decoded, or a time that there is not
            yield "malformed", str(cause)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{n}={v!r}' for n, v in self.__rich_repr__())})"

    def __getstate__(self) -> dict[str, Any]:
        # A client holds connections and a token; where it is unpickled, the current client takes its place.
        return {**self.__dict__, "_client": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def to_dict(self) -> dict[str, Any]:
        """The message in the protobuf JSON mapping, as a dict."""
        made: dict[str, Any] = self.pb2.to_dict()
        return made

    def to_json(self, indent: int | None = 2) -> str:
        """The message in the protobuf JSON mapping, as text.

        Args:
            indent: Spaces per level; None for one line. Default: 2.
        """
        return json.dumps(self.to_dict(), indent=indent, ensure_ascii=False)

    @classmethod
    def _of(cls, pb2: M | None, client: Client | None) -> Self:
        """An entity around a message; a reply without one is an entity of an empty message."""
        return cls(pb2 if pb2 is not None else cls._message_type()(), client)

    @classmethod
    def _message_type(cls) -> type[M]:
        raise NotImplementedError


def _leaves(message: Message, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    """The paths and values of the fields in a message, and in the messages within it."""
    for name in type(message).specs():
        value = getattr(message, name)
        if isinstance(value, Message):
            yield from _leaves(value, (*path, name))
        else:
            yield (*path, name), value


def _named(leaves: dict[tuple[str, ...], object]) -> Iterator[tuple[str, object]]:
    """The leaves under the last name of their path, or under all of its names where others end alike."""
    ends = Counter(path[-1] for path in leaves)
    for path, value in leaves.items():
        yield path[-1] if ends[path[-1]] == 1 else "_".join(path), value


def walk(message: Any, path: str) -> Any:
    """The value at a dotted path of fields, or None where a message on the way is missing; "" is the message itself."""
    for name in path.split(".") if path else ():
        if message is None:
            return None
        message = getattr(message, name)
    return message


def as_is(item: Any, client: Client) -> Any:
    """What becomes of an item of a reply when no entity is made of it."""
    return item


def paged(
    make: Callable[[Any, Client], T],
    client: Client,
    rpc: Rpc[Req, Res],
    request: Req,
    *,
    items: str,
    token: str,
    page: str,
    names: tuple[str, str] = ("limit", "token"),
    keep: Callable[[T], bool] | None = None,
    carry: Collection[str] = (),
    limit: int | None,
    page_size: int | None = None,
) -> Pager[T]:
    """The pager of a list method.

    Args:
        make: Makes something of an item and the client: the class of an entity, or `as_is`.
        client: Whom to ask.
        rpc: The list method.
        request: The request, but for limit and token.
        items: Path of the repeated field in a reply.
        token: Path of the next page's token in a reply; empty for a method without pages.
        page: Path of the message with the page's size and token in a request; empty for the request itself.
        names: What that message calls size and token. Default: `limit` and `token`.
        keep: Which items count, where the server's filters can't say it. Default: all.
        carry: Fields of a reply that the request of the next page has to bring back. Default: none.
        limit: Most items in all; None for all.
        page_size: Most items a request; None for the client's.
    """

    carried: dict[str, dict[str, Any]] = {}

    async def fetch(at: str, size: int) -> Page[T]:
        asked = copy(request)
        for name, value in carried.get(at, {}).items():
            setattr(asked, name, value)
        if token:
            where: Any = asked
            if page:
                where = copy(getattr(asked, page))
                setattr(asked, page, where)
            for name, value in zip(names, (size, at), strict=True):
                setattr(where, name, value)
        reply = await unary(client, rpc, asked)
        found: Sequence[Any] = walk(reply, items) or ()
        made = [make(item, client) for item in found]
        if keep is not None:
            made = [item for item in made if keep(item)]
        following = (walk(reply, token) or "") if token else ""
        if following and carry:
            carried[following] = {name: getattr(reply, name) for name in carry}
        return Page(made, following)

    return Pager(fetch, limit=limit, page_size=client.page_size if page_size is None else page_size)


def watched(
    make: Callable[[Any, Client], T],
    client: Client,
    rpc: Rpc[Req, Res],
    request: Req,
    *,
    items: str,
    final: str,
    each: Callable[[T], None] | None = None,
    about: str,
    timeout: float | None,
) -> Watch[T]:
    """The watch of a streaming method; it ends with the first item whose method `final` says so.

    A path `items` to a repeated field gives its items one by one. `each` sees everything before it is delivered;
    `about` says in errors what is watched.
    """

    async def subscribe() -> AsyncGenerator[T]:
        async with aclosing(_items(stream(client, rpc, request), items)) as found:
            async for item in found:
                made = make(item, client)
                if each is not None:
                    each(made)
                yield made

    is_final: Callable[[T], bool] = (lambda item: bool(getattr(item, final)())) if final else (lambda item: False)
    return Watch(
        subscribe,
        is_final=is_final,
        timeout=timeout,
        waited_for=f"{about} to end",
        phase=lambda item: str(getattr(item, "phase", "")),
    )


def streamed(client: Client, rpc: Rpc[Req, Res], request: Req, *, items: str, timeout: float | None) -> Stream[Any]:
    """The stream of a method that is opened once for each loop: a repetition would deliver things twice.

    A path `items` to a repeated field gives its items one by one; "" gives whole replies.
    """
    return Stream(lambda: _items(stream(client, rpc, request, timeout=timeout), items))


async def _items(replies: AsyncGenerator[Any, None], path: str) -> AsyncGenerator[Any, None]:
    """What lies at a path in replies; the items of a repeated field one by one."""
    async with aclosing(replies):
        async for reply in replies:
            found = walk(reply, path)
            for item in found if isinstance(found, list) else [found]:  # pyright: ignore[reportUnknownVariableType]
                if item is not None:
                    yield item
