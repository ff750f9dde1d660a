"""The filter text of ListProjects: `eq(name, x) + contains(description, y)`, a small grammar of its own."""

from __future__ import annotations

import re

from flyte_rpc.serving.server import Status, abort

from .listing import Column, Kind, Query, like_to_glob, read_value, require_pattern

COLUMNS = {
    "identifier": Column("identifier"),
    "name": Column("name"),
    "description": Column("description"),
    "labels": Column("labels", nullable=True),
    "state": Column("state", Kind.INTEGER),
    "created_at": Column("created_at", Kind.TIME),
    "updated_at": Column("updated_at", Kind.TIME),
}

_CALL = re.compile(r"([^()]*)\((.*)\)", re.DOTALL)


def add_filters(query: Query, text: str) -> None:
    """Restrict a query by a filter text.

    Expressions are joined by `+`, all must hold; each is `function(field, value)` with the functions eq, ne, contains and
    value_in (values separated by `;`). A value is taken as it stands, so it cannot contain a `+`.

    Raises:
        Abort: INVALID_ARGUMENT for a text outside the grammar, INTERNAL for a value that does not fit its column.
    """
    for expression in text.split("+"):
        if expression.strip():
            _add(query, expression.strip())


def _add(query: Query, expression: str) -> None:
    call = _CALL.fullmatch(expression)
    if call is None:
        abort(Status.INVALID_ARGUMENT, f"invalid filter format: {expression}")
    function = call[1].strip().lower()
    field, comma, value = call[2].partition(",")
    field, value = field.strip(), value.strip()
    if not comma:
        abort(Status.INVALID_ARGUMENT, f"invalid filter arguments: {call[2]}")
    column = COLUMNS.get(field)
    if column is None:
        abort(Status.INVALID_ARGUMENT, f"invalid filter field: {field}")
    if function == "eq":
        query.require(f"{column.sql} = ?", read_value(column, value))
    elif function == "ne":
        query.require(f"{column.sql} <> ?", read_value(column, value))
    elif function == "contains":
        require_pattern(query, column, column.sql, "GLOB", f"*{like_to_glob(value)}*")
    elif function == "value_in":
        values = [read_value(column, item.strip()) for item in value.split(";")]
        query.require(f"{column.sql} IN ({', '.join('?' * len(values))})", *values)
    else:
        abort(Status.INVALID_ARGUMENT, f"unsupported filter function: {function}")
