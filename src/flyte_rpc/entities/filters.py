"""Converts arguments of list methods to filters and sort orders, and checks them before anything is sent."""

from __future__ import annotations

import difflib
import enum
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias, TypeVar, get_args

import attrs

from flyte_rpc.arguments import instant

M = TypeVar("M")
K = TypeVar("K", bound=str)
V = TypeVar("V")

Direction = Literal["asc", "desc"]
SortedBy: TypeAlias = K | tuple[K, Direction] | Sequence[K | tuple[K, Direction]]
"""`"created_at"` or `("created_at", "asc")` ascending, `"-created_at"` or `("created_at", "desc")` descending, or several.
`K` is the type of the allowed keys, which includes each key with a leading `-`."""
Several: TypeAlias = Collection[V] | tuple[V, ...]
"""Several values. mypy infers the type of `("failed",)` from a tuple type only."""
SortBy: TypeAlias = SortedBy[str]
"""A sort order with arbitrary keys."""

Clause = tuple[str, str, list[str]]
"""Name of a filter function, a field, and the values as text."""


def _aware(instance: object, attribute: attrs.Attribute[Any], value: datetime | None) -> None:
    if value is not None:
        instant(f"TimeFilter.{attribute.name}", value)


@attrs.frozen
class TimeFilter:
    """A time range for filters on timestamps.

    Args:
        after: Earliest instant, inclusive. None for no bound.
        before: Latest instant, exclusive. None for no bound.

    Raises:
        ValueError: A bound has no time zone, or `after` is later than `before`.
    """

    after: datetime | None = attrs.field(default=None, validator=_aware)
    before: datetime | None = attrs.field(default=None, validator=_aware)

    def __attrs_post_init__(self) -> None:
        if self.after is not None and self.before is not None and self.after > self.before:
            raise ValueError(
                f"TimeFilter.after ({self.after.isoformat()}) is later than before ({self.before.isoformat()}), "
                "so nothing can match; swap them"
            )


def rfc3339(moment: datetime) -> str:
    """An aware datetime as text, in UTC, to the microsecond."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def equal(field: str, argument: str, value: str | None) -> Iterator[Clause]:
    """The clause of a parameter that takes a string; none for None."""
    if value is None:
        return
    if not isinstance(value, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"{argument} takes a string, not {type(value).__name__} ({value!r})")
    if not value:
        raise ValueError(f"{argument} is empty; omit it to list all items")
    yield "EQUAL", field, [value]


def equal_bool(field: str, argument: str, value: bool | None) -> Iterator[Clause]:
    """The clause of a parameter that takes a bool; none for None."""
    if value is None:
        return
    if not isinstance(value, bool):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"{argument} takes a bool, not {type(value).__name__} ({value!r})")
    yield "EQUAL", field, ["true" if value else "false"]


def containing(field: str, argument: str, prefix: str | None) -> Iterator[Clause]:
    """Yield the clause that selects names that contain `prefix` and a dot; nothing for None."""
    if prefix is None:
        return
    if not isinstance(prefix, str) or not prefix:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ValueError(f"{argument} takes a name, not {prefix!r}")
    yield "CONTAINS", field, [f"{prefix}."]


def beginning(field: str, prefix: str | None) -> Callable[[Any], bool] | None:
    """Return a predicate for items whose `field` begins with `prefix` and a dot; None to keep all items."""
    return None if prefix is None else lambda item: str(getattr(item, field)).startswith(f"{prefix}.")


def having(field: str, value: str | None) -> Callable[[Any], bool] | None:
    """Return a predicate for items whose `field` equals `value`; None to keep all items."""
    return None if value is None else lambda item: bool(getattr(item, field) == value)


def meeting_all(*conditions: Callable[[Any], bool] | None) -> Callable[[Any], bool] | None:
    """Return a predicate for items that meet all conditions; None if there are none."""
    given = [condition for condition in conditions if condition is not None]
    return (lambda item: all(condition(item) for condition in given)) if given else None


def labelled(field: str, argument: str, labels: Mapping[str, str] | None) -> Iterator[Clause]:
    """Yield one clause for each label that an item must have; nothing for None."""
    if labels is None:
        return
    if not isinstance(labels, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"{argument} takes a mapping of keys to values, not {type(labels).__name__} ({labels!r})")
    _refuse_none(argument, labels)
    for key, value in labels.items():
        if not isinstance(value, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"{argument} takes strings, not {type(value).__name__} ({value!r}) for {key!r}")
        yield "EQUAL", f"{field}.{_label_key(argument, key)}", [value]


def having_labels(field: str, argument: str, keys: Collection[str] | None) -> Iterator[Clause]:
    """Yield one clause for each key of a label that an item must have; nothing for None."""
    if keys is None:
        return
    if isinstance(keys, (str, bytes)) or not isinstance(keys, Collection):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"{argument} takes several keys; for one, write {argument}=({keys!r},)")
    _refuse_none(argument, keys)
    for key in keys:
        yield "EXISTS", f"{field}.{_label_key(argument, key)}", []


def _refuse_none(argument: str, values: Collection[str]) -> None:
    if not values:
        raise ValueError(f"{argument} is empty; omit it to list all items")


def _label_key(argument: str, key: object) -> str:
    if not isinstance(key, str):
        raise TypeError(f"{argument} takes keys that are strings, not {type(key).__name__} ({key!r})")
    if not key:
        raise ValueError(f"{argument} has an empty key")
    return key


def any_of(
    field: str,
    argument: str,
    values: Collection[str | int] | None,
    members: type[enum.IntEnum],
    *,
    by_name: bool = False,
) -> Iterator[Clause]:
    """Yield the clause of a parameter that takes several enum members or their names; nothing for None.

    Servers expect numbers or, with `by_name`, the names in the definitions.
    """
    if values is None:
        return
    if isinstance(values, (str, bytes)) or not isinstance(values, Collection):  # pyright: ignore[reportUnnecessaryIsInstance]
        shown = values.name.lower() if isinstance(values, enum.Enum) else values
        hint = f"for one, write {argument}=({shown!r},)"
        if hasattr(values, "__next__"):
            hint = f"write {argument}=list(...) for an iterator"
        raise TypeError(f"{argument} takes several values; {hint}")
    numbers = list(dict.fromkeys(_number(argument, value, members) for value in values))
    if not numbers:
        raise ValueError(f"{argument} is empty, so nothing can match; omit it to list all items")
    texts = [str(getattr(members(n), "proto_name", "")) if by_name else str(n) for n in numbers]
    yield "EQUAL" if len(numbers) == 1 else "VALUE_IN", field, texts


def _number(argument: str, value: object, members: type[enum.IntEnum]) -> int:
    known = {n: m for n, m in members.__members__.items() if n != "UNSPECIFIED"}
    if isinstance(value, int) and not isinstance(value, bool):
        if value not in known.values():
            raise ValueError(f"{argument} has the unknown number {int(value)}; known: {_names(known)}")
        return int(value)
    name = value.name if isinstance(value, enum.Enum) else value
    if not isinstance(name, str):
        raise TypeError(f"{argument} takes names, not {type(value).__name__} ({value!r})")
    prefix: str = getattr(members, "__proto_prefix__", "")
    found = known.get(name.upper().replace("-", "_").removeprefix(prefix))
    if found is None:
        near = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0].lower()!r}?" if near else f"known: {_names(known)}"
        raise ValueError(f"{argument} has the unknown value {str(name)!r}; {hint}")
    return int(found)


def _names(members: Iterable[str]) -> str:
    return ", ".join(name.lower() for name in members)


def within(field: str, argument: str, span: TimeFilter | None) -> Iterator[Clause]:
    """Yield the clauses of a parameter that takes a time range."""
    if span is None:
        return
    if not isinstance(span, TimeFilter):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"{argument} takes a TimeFilter, not {type(span).__name__}")
    if span.after is not None:
        yield "GREATER_THAN_OR_EQUAL", field, [rfc3339(span.after)]
    if span.before is not None:
        yield "LESS_THAN", field, [rfc3339(span.before)]


def as_filters(message: type[M], *clauses: Clause) -> list[M]:
    """Convert clauses to filter messages with `function`, `field` and `values`."""
    functions: Any = message.__dict__["function"].target
    make: Any = message
    return [make(function=functions[function], field=field, values=values) for function, field, values in clauses]


def as_sorts(message: type[M], sort_by: SortBy | None, default: str, *, keys: object = None) -> list[M]:
    """Convert a sort order to sort messages with `key` and `direction`.

    Raises:
        ValueError: A key is empty or not in the Literal type `keys`, or a direction is neither asc nor desc.
    """
    directions: Any = message.__dict__["direction"].target
    make: Any = message
    order = {"asc": directions["ASCENDING"], "desc": directions["DESCENDING"]}
    wanted = (default or ()) if sort_by is None else sort_by
    found = list(_orders(wanted))
    known: tuple[str, ...] = get_args(keys)
    for key, _ in found:
        if known and key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(k for k in known if k[0] != '-')}"
            raise ValueError(f"sort_by has {key!r}, which the server does not sort by; {hint}")
    return [make(key=key, direction=order[way]) for key, way in found]


def as_sort(message: type[M], sort_by: SortBy | None, default: str, *, keys: object = None) -> M | None:
    """Convert a sort order to the one sort message that the request takes; None for the server's order.

    Raises:
        ValueError: There are several keys, or one that `as_sorts` refuses.
    """
    found = as_sorts(message, sort_by, default, keys=keys)
    if len(found) > 1:
        raise ValueError(f"sort_by has {len(found)} keys, but the server sorts by one")
    return found[0] if found else None


def _orders(sort_by: SortBy) -> Iterator[tuple[str, Direction]]:
    # A tuple of two strings is a key and its direction; several plain keys must be a list.
    if not isinstance(sort_by, (str, Iterable)):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f'sort_by takes "name", "-name" or ("name", "asc"), not {type(sort_by).__name__}')
    if isinstance(sort_by, str) or (isinstance(sort_by, tuple) and len(sort_by) == 2 and isinstance(sort_by[0], str)):
        yield from _order(sort_by)
    else:
        for part in sort_by:
            yield from _order(part)


def _order(part: Any) -> Iterator[tuple[str, Direction]]:
    if isinstance(part, str):
        key, way = part.removeprefix("-"), "desc" if part.startswith("-") else "asc"
    else:
        try:
            key, way = part
        except (TypeError, ValueError):
            raise ValueError(f'sort_by has {part!r}; write "name", "-name" or ("name", "asc")') from None
    if not isinstance(key, str) or not key:
        raise ValueError(f"sort_by has {key!r}, which is not the name of a field")
    if way != "asc" and way != "desc":
        near = difflib.get_close_matches(str(way), ("asc", "desc"), n=1)
        raise ValueError(
            f"sort_by has the direction {way!r}; {f'did you mean {near[0]!r}?' if near else 'known: asc, desc'}"
        )
    if not isinstance(part, str) and key.startswith("-"):
        name = key.lstrip("-")
        raise ValueError(
            f"sort_by has {part!r}, which gives the direction twice; write ({name!r}, 'asc') or ({name!r}, 'desc')"
        )
    yield key, "asc" if way == "asc" else "desc"
