"""URLs in messages."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

_SHORTEST = 6
"""Minimum length of a value to hide. Shorter ones would match unrelated parts of a message."""


def origin_and_path(url: str) -> str:
    """The URL without user, query and fragment, for messages."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def query_values(url: str) -> tuple[str, ...]:
    """The values of the query, as they are written and decoded. In a signed URL, one of them is the signature."""
    query = urlsplit(url).query
    written = {part.partition("=")[2] for part in query.split("&")}
    found = written | {value for _, value in parse_qsl(query)}
    return tuple(sorted((value for value in found if len(value) >= _SHORTEST), key=len, reverse=True))
