"""The base class of generated entities."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterator, Sequence
from copy import deepcopy
from typing import Any, ClassVar, Generic, Self, TypeVar

import attrs

from flyte_rpc.calls.client import Client
from flyte_rpc.calls.registry import ClientRegistry
from flyte_rpc.codec.message import Message
from flyte_rpc.codec.paths import at_path
from flyte_rpc.codec.wire import head
from flyte_rpc.sync.misuse import refuse_construction

_LENGTH_DELIMITED = 2

M = TypeVar("M", bound=Message)
E = TypeVar("E", bound="Entity[Any]")


@attrs.define(eq=False, repr=False, slots=False)
class Entity(Generic[M]):
    """A snapshot of a resource on the control plane.

    Two entities are equal, and have the same hash, if they identify the same resource, even if their states differ.

    A generated base class sets `_registry`, `_MESSAGE`, `_IDENTITY`, `_KEY` and `_REPR`. A subclass may override
    `_REPR`, and `_label()` for the name in errors. A watch that `codegen.toml` gives a hook has an empty method of that
    name in the base class: `each` is called with each item before the item is delivered, and `fetch` after a silence,
    to fetch the current item. `made_by` makes an entity of an item; a subclass must define it.

    Attributes:
        pb2: The message the entity wraps.
    """

    _registry: ClassVar[ClientRegistry]
    """The registry of the generated package, which knows the current client."""
    _MESSAGE: ClassVar[type[Any]]
    """The class of `pb2`."""
    _IDENTITY: ClassVar[str]
    """The path of the identifier in the message, such as `action.id.run`."""
    _KEY: ClassVar[tuple[str, ...]]
    """The paths of the distinguishing parts of the identifier: all except the organization."""
    _REPR: ClassVar[tuple[str, ...]]
    """The repr's entries: attribute paths, such as `name`, `phase!s` (as text) or `error=action.error_message`."""

    pb2: M
    _client: Client | None = None

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.pb2, self._MESSAGE):
            refuse_construction(type(self), self.pb2)

    @property
    def client(self) -> Client:
        """The client that fetched the entity, else the current one."""
        return self._registry.resolve(self._client)

    def _key(self) -> tuple[object, ...]:
        """Return the identifying values, without the organization, which servers omit from some replies."""
        return tuple(at_path(self.pb2, name) for name in self._KEY)

    def _identity(self) -> Any:
        """The identifier: a message or a plain value, None where it is missing."""
        return at_path(self.pb2, self._IDENTITY)

    def _label(self) -> str:
        """The name of the resource in errors, such as `action r1/a0`."""
        key = self._key()
        return f"{type(self).__name__.lower()} {'/'.join(map(str, key[2:] or key))}"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, type(self)) or type(self) is not type(other):
            return NotImplemented
        return self._key() == other._key()

    def __hash__(self) -> int:
        return hash((type(self).__name__, self._key()))

    def __rich_repr__(self) -> Iterator[tuple[str, object]]:
        try:
            for name, value in (_attribute(self, entry) for entry in self._REPR):
                if value not in (None, "", (), [], {}):
                    yield name, value
        except ValueError as cause:  # malformed bytes, or an invalid timestamp
            yield "malformed", str(cause)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{n}={v!r}' for n, v in self.__rich_repr__())})"

    def __getstate__(self) -> dict[str, Any]:
        # A client holds connections and a token, so it is not pickled. An unpickled entity uses the current client.
        return {**self.__dict__, "_client": None}

    def __copy__(self) -> Self:
        return _copy_of(self, self.__getstate__())

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return _copy_of(self, deepcopy(self.__getstate__(), memo))

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def to_dict(self) -> dict[str, Any]:
        """Return the message as a dict, in the protobuf JSON mapping."""
        made: dict[str, Any] = self.pb2.to_dict()
        return made

    def to_json(self, indent: int | None = 2) -> str:
        """Return the message as JSON text, in the protobuf JSON mapping.

        Args:
            indent: Spaces per level; None for one line. Default: 2.
        """
        return json.dumps(self.to_dict(), indent=indent, ensure_ascii=False)

    @classmethod
    def _of(cls, pb2: M | None, client: Client | None) -> Self:
        """Wrap a message. None, from a reply without a message, becomes an empty message."""
        return cls(pb2 if pb2 is not None else cls._MESSAGE(), client)


# `Run()` is refused by the check after the construction, which says what to write. Python would name an argument of this class.
vars(Entity)["__init__"].__defaults__ = (None, None)


def entity_key(entity: Entity[Any]) -> Hashable:
    """Return what identifies an entity; None if it has no identifier, or a malformed one."""
    try:
        found = entity._key()  # pyright: ignore[reportPrivateUsage]
    except ValueError:
        return None  # reading the entity raises the error
    return found if any(found) else None


def listing_key(cls: type[Entity[Any]]) -> Callable[[Any], Hashable]:
    """Return a function like `entity_key` for the entities of one listing, which leaves their messages encoded.

    Its keys are the encoded identifiers, because decoding every identifier would slow listings down. They are comparable
    within one listing only.
    """
    if cls._key is not Entity[Any]._key:  # pyright: ignore[reportPrivateUsage]
        return entity_key  # a subclass with an identity of its own
    name, *below = cls._IDENTITY.split(".")  # pyright: ignore[reportPrivateUsage]
    raw = "*" + name
    tags: list[int] | None = None

    def key(entity: Any) -> Hashable:
        nonlocal tags
        encoded = entity.pb2.__dict__.get(raw)
        if type(encoded) is not bytes:
            return entity_key(entity)  # a plain value, or already decoded
        if tags is None:
            tags = _tags(getattr(cls._MESSAGE, name).target, below)  # pyright: ignore[reportPrivateUsage]
        try:
            for tag in tags:
                # Mostly, identifiers are the first field and short.
                short = encoded[0] == tag and encoded[1] < 128
                encoded = encoded[2 : 2 + encoded[1]] if short else _first(encoded, tag)
        except (IndexError, ValueError):
            return None  # malformed; reading the entity raises the error
        return encoded or None

    return key


def _tags(message: Any, names: Sequence[str]) -> list[int]:
    """Return the tags of the nested fields with these names."""
    tags: list[int] = []
    for name in names:
        tags.append(message.specs()[name].number << 3 | _LENGTH_DELIMITED)
        message = getattr(getattr(message, name), "target", None)
    return tags


def _first(buf: bytes, wanted: int) -> bytes:
    """Return the bytes of the first field with a tag; empty if there is none."""
    pos, end = 0, len(buf)
    while pos < end:
        tag, size, at = head(buf, pos)
        kind = tag & 7
        if tag == wanted:
            return buf[at : at + size]
        if kind == _LENGTH_DELIMITED:
            pos = at + size
        elif kind == 0:
            pos = at
        else:
            raise ValueError(f"a field of the wire type {kind}")
    return b""


def _attribute(entity: Any, entry: str) -> tuple[str, object]:
    """The label and the value of one entry of `Entity._REPR`."""
    label, _, path = entry.partition("=")
    path, _, conversion = (path or label).partition("!")
    value = entity
    for name in path.split("."):
        if value is None:
            break
        value = getattr(value, name)
        value = value() if callable(value) else value
    return label.partition("!")[0], str(value) if conversion == "s" else value


def _copy_of(entity: E, state: dict[str, Any]) -> E:
    copied = object.__new__(type(entity))
    copied.__dict__.update(state, _client=entity.__dict__["_client"])
    return copied
