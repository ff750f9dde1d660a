"""Convert `common.ListRequest` to SQL: limits, page tokens, sort keys and filters, with the real backend's errors."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import Factory, define, frozen

from flyte.devbox import clock
from flyte_api.messages.flyteidl2.common.list import Filter, FilterFunction, ListRequest, Sort, SortDirection
from flyte_rpc.codec.deprecation import quietly
from flyte_rpc.serving.server import Status, abort

DEFAULT_LIMIT = 50
MAX_LIMIT = 200


class Kind(enum.Enum):
    """The type of a column, which determines how filter values are parsed."""

    TEXT = "text"
    INTEGER = "bigint"
    TIME = "timestamp"
    BOOLEAN = "boolean"


@frozen
class Column:
    """A field that clients may filter and sort by."""

    sql: str
    kind: Kind = Kind.TEXT
    nullable: bool = False


@frozen
class Listing:
    """The filters and sort orders of a table."""

    columns: Mapping[str, Column]
    """The fields that clients may filter and sort by."""
    default_order: str
    """The default ORDER BY."""
    tiebreak: Sequence[str] = ()
    """Columns appended to a custom order, so that pages do not overlap."""


@define
class Query:
    """The parts of a SELECT that depend on the request."""

    where: list[str] = Factory(list[str])
    parameters: list[Any] = Factory(list[Any])
    order: str = ""
    limit: int | None = None
    offset: int = 0

    def require(self, condition: str, *parameters: Any) -> None:
        """Restrict the query further."""
        self.where.append(condition)
        self.parameters.extend(parameters)

    def match(self, **values: Any) -> None:
        """Restrict the query to rows whose columns have these values."""
        self.require(" AND ".join(f"{column} = ?" for column in values), *values.values())

    @property
    def condition(self) -> str:
        """The WHERE clause, or nothing."""
        return f" WHERE {' AND '.join(self.where)}" if self.where else ""

    def window(self, extra: int = 0) -> str:
        """Return the LIMIT clause. `extra` more rows show whether there is another page."""
        limit = -1 if self.limit is None else self.limit + extra
        return f" LIMIT {limit} OFFSET {self.offset}"

    def next_token(self) -> str:
        """Return the token of the next page."""
        return str(self.offset + (self.limit or 0))

    def page_token(self, rows: int) -> str:
        """Return the token of the next page for a page of `rows`. A full page has one even if no page follows."""
        return self.next_token() if rows == self.limit else ""


def compile_request(request: ListRequest | None, listing: Listing) -> Query:
    """Validate a request and convert it to a query.

    Args:
        request: The client's request; None for the first page in default order.
        listing: The table to list.

    Raises:
        Abort: INVALID_ARGUMENT for an invalid request, INTERNAL for a value that does not fit its column.
    """
    request = request or ListRequest()
    if request.limit > MAX_LIMIT:
        abort(Status.INVALID_ARGUMENT, f"limit {request.limit} exceeds maximum of {MAX_LIMIT}")
    query = Query(limit=request.limit or DEFAULT_LIMIT)
    query.order = _order(request, listing) or listing.default_order
    for item in request.filters:
        add_filter(query, item, listing.columns)
    query.offset = _offset(request.token)
    return query


def add_filter(query: Query, item: Filter, columns: Mapping[str, Column]) -> None:
    """Add one filter to the query."""
    column = columns.get(item.field)
    if column is None:
        abort(Status.INVALID_ARGUMENT, f"failed to convert filters: invalid filter field: {item.field}")
    function = FilterFunction(item.function)
    if function not in _COMPARE and function not in _PATTERN and function != FilterFunction.VALUE_IN:
        abort(
            Status.INVALID_ARGUMENT,
            f"failed to convert filters: unsupported filter function: {function.name or item.function}",
        )
    if not item.values:
        abort(Status.INVALID_ARGUMENT, f"failed to convert filters: filter {item.field} has no values")
    if function == FilterFunction.VALUE_IN:
        values = [read_value(column, text) for text in item.values]
        query.require(f"{column.sql} IN ({', '.join('?' * len(values))})", *values)
        return
    if len(item.values) > 1:
        abort(
            Status.INTERNAL,
            f"filter {item.field}: {function.name} takes one value, not {len(item.values)}; use VALUE_IN",
        )
    text = item.values[0]
    if function in _COMPARE:
        query.require(f"{column.sql} {_COMPARE[function]} ?", read_value(column, text))
    else:
        operand, operator, template = _PATTERN[function]
        if function == FilterFunction.CONTAINS_CASE_INSENSITIVE:
            text = text.lower()
        require_pattern(query, column, operand.format(column.sql), operator, template.format(like_to_glob(text)))


def require_pattern(query: Query, column: Column, operand: str, operator: str, pattern: str) -> None:
    """Restrict a text column to values that match a pattern."""
    if column.kind is not Kind.TEXT:
        abort(Status.INTERNAL, f"operator does not exist: {column.kind.value} ~~ text (column {column.sql})")
    query.require(f"{operand} {operator} ?", pattern)


def read_value(column: Column, text: str) -> int | str:
    """Parse a filter value as the type of its column. Invalid values give INTERNAL, like PostgreSQL's casts."""
    if column.kind is Kind.TEXT:
        return text
    try:
        if column.kind is Kind.BOOLEAN:
            return _BOOLEANS[text.strip().lower()]
        return int(text, 10) if column.kind is Kind.INTEGER else clock.from_text(text)
    except (ValueError, KeyError):
        abort(Status.INTERNAL, f'invalid input syntax for type {column.kind.value}: "{text}" (column {column.sql})')


def like_to_glob(text: str) -> str:
    """Convert the inside of a LIKE pattern to a GLOB pattern, which is case-sensitive in SQLite.

    `%` and `_` are wildcards unless escaped with a backslash. GLOB's special characters are quoted.
    """
    parts: list[str] = []
    letters = iter(text)
    for letter in letters:
        if letter == "\\":
            parts.append(_quoted(next(letters, "\\")))
        else:
            parts.append({"%": "*", "_": "?"}.get(letter) or _quoted(letter))
    return "".join(parts)


def order_by(column: Column, direction: int) -> str:
    """Return one term of an ORDER BY, with NULLs sorted as in PostgreSQL, the opposite of SQLite's default."""
    ascending = direction == SortDirection.ASCENDING
    nulls = (" NULLS LAST" if ascending else " NULLS FIRST") if column.nullable else ""
    return f"{column.sql} {'ASC' if ascending else 'DESC'}{nulls}"


def _quoted(letter: str) -> str:
    return f"[{letter}]" if letter in "*?[" else letter


def _order(request: ListRequest, listing: Listing) -> str:
    keys: list[Sort] = list(request.sort_by_fields)
    alone: Sort | None = quietly(request, "sort_by")
    if not keys and alone is not None and alone.key:
        keys = [alone]
    terms: list[str] = []
    for key in keys:
        column = listing.columns.get(key.key)
        if column is None:
            abort(Status.INVALID_ARGUMENT, f"invalid sort field: {key.key}")
        terms.append(order_by(column, key.direction))
    if terms:
        used = {listing.columns[key.key].sql for key in keys}
        terms.extend(f"{name} ASC" for name in listing.tiebreak if name not in used)
    return ", ".join(terms)


def _offset(token: str) -> int:
    if not token:
        return 0
    if not (token.isascii() and token.isdigit()):
        abort(Status.INVALID_ARGUMENT, f'invalid token: "{token}"')
    return int(token)


_BOOLEANS = {
    **dict.fromkeys(("true", "t", "yes", "y", "on", "1"), 1),
    **dict.fromkeys(("false", "f", "no", "n", "off", "0"), 0),
}
_COMPARE = {
    FilterFunction.EQUAL: "=",
    FilterFunction.NOT_EQUAL: "<>",
    FilterFunction.GREATER_THAN: ">",
    FilterFunction.GREATER_THAN_OR_EQUAL: ">=",
    FilterFunction.LESS_THAN: "<",
    FilterFunction.LESS_THAN_OR_EQUAL: "<=",
}
_PATTERN = {
    FilterFunction.CONTAINS: ("{}", "GLOB", "*{}*"),
    FilterFunction.ENDS_WITH: ("{}", "GLOB", "*{}"),
    FilterFunction.NOT_ENDS_WITH: ("{}", "NOT GLOB", "*{}"),
    FilterFunction.CONTAINS_CASE_INSENSITIVE: ("fold({})", "GLOB", "*{}*"),
}
