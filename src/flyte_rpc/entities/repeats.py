"""Finds the entities that a listing repeats, because new ones have moved them to a later page."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, Generic, TypeVar

from flyte_rpc.codec.wire import head
from flyte_rpc.errors import SdkError

from .entity import Entity

T = TypeVar("T")

REMEMBERED = 10_000
"""Number of items that a listing recognizes at least. It keeps the keys of at most twice as many."""
_LENGTH_DELIMITED = 2


class RepeatFilter(Generic[T]):
    """Drops the items that one loop over a listing has already yielded."""

    def __init__(self, key: Callable[[T], Hashable]) -> None:
        self._key = key
        self._newer: set[Hashable] = set()
        self._older: set[Hashable] = set()
        self._in_a_row = 0
        """Repeats since the last new item."""

    def new_items(self, items: Sequence[T], *, last: bool) -> Sequence[T]:
        """Return the items of the next page that earlier pages do not have.

        Args:
            items: The page.
            last: Whether no page follows, so that its items need not be remembered.

        Raises:
            SdkError: The server has only sent repeats for a long time, so the listing would not end.
        """
        if last and not self._newer and not self._older:
            return items  # the only page, which most listings have
        keys = [self._key(item) for item in items]
        distinct = set(keys)
        if len(distinct) < len(keys) or not (self._newer.isdisjoint(distinct) and self._older.isdisjoint(distinct)):
            items = self._without_repeats(items, keys)
        elif items:
            self._in_a_row = 0
        if len(self._newer) >= REMEMBERED:
            self._older, self._newer = self._newer, set()
        distinct.discard(None)
        self._newer |= distinct
        return items

    def _without_repeats(self, items: Sequence[T], keys: Sequence[Hashable]) -> Sequence[T]:
        kept: list[T] = []
        of_page: set[Hashable] = set()
        for item, key in zip(items, keys, strict=True):
            if key is not None and (key in of_page or key in self._newer or key in self._older):
                self._in_a_row += 1
            else:
                of_page.add(key)
                kept.append(item)
                self._in_a_row = 0
        if self._in_a_row > REMEMBERED:
            raise SdkError(f"the server has repeated {self._in_a_row} items in a row and still reports more pages")
        return kept


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
    if cls._key is not Entity._key:  # pyright: ignore[reportPrivateUsage]
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
