"""Convert ListProjects to SQL, including its filter language: `eq(name, x) + contains(description, y)`."""

from __future__ import annotations

import re

from flyte_api.messages.flyteidl2.project.project_service import ListProjectsRequest, ProjectState
from flyte_rpc.serving.server import Status, abort

from .listing import Column, Kind, Listing, Query, like_to_glob, order_by, read_value, require_pattern

_LISTED = {
    "identifier": Column("identifier"),
    "name": Column("name"),
    "description": Column("description"),
    "labels": Column("labels", nullable=True),
    "state": Column("state", Kind.INTEGER),
    "created_at": Column("created_at", Kind.TIME),
    "updated_at": Column("updated_at", Kind.TIME),
}

LISTING = Listing(_LISTED, "created_at ASC, identifier ASC", tiebreak=("identifier",))

_CALL = re.compile(r"([^()]*)\((.*)\)", re.DOTALL)


def compile_request(request: ListProjectsRequest) -> Query:
    """Validate a request and convert it to a query. Without a filter, archived projects are left out.

    Raises:
        Abort: INVALID_ARGUMENT for an invalid request, INTERNAL for a value that does not fit its column.
    """
    query = Query(limit=request.limit or None, offset=_offset(request.token), order=LISTING.default_order)
    if request.sort_by is not None and request.sort_by.key:
        column = LISTING.columns.get(request.sort_by.key)
        if column is None:
            abort(Status.INVALID_ARGUMENT, f"invalid sort field: {request.sort_by.key}")
        query.order = ", ".join([order_by(column, request.sort_by.direction), *(f"{c} ASC" for c in LISTING.tiebreak)])
    if request.filters:
        _add_filters(query, request.filters)
    else:
        query.require("state <> ?", int(ProjectState.ARCHIVED))
    return query


def _offset(token: str) -> int:
    """Parse the token. Unlike in other listings, only its start must be a number."""
    if not token:
        return 0
    match = re.match(r"\s*([+-]?[0-9]+)", token)
    if match is None or int(match[1]) < 0:
        abort(Status.INVALID_ARGUMENT, f"invalid token format: {token}")
    return int(match[1])


def _add_filters(query: Query, text: str) -> None:
    """Restrict a query by a filter text.

    Expressions are joined by `+`, and all must hold. Each is `function(field, value)` with the functions eq, ne, contains
    and value_in (values separated by `;`). There is no quoting, so a value cannot contain a `+`.

    Raises:
        Abort: INVALID_ARGUMENT for a syntax error, INTERNAL for a value that does not fit its column.
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
    column = LISTING.columns.get(field)
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
