"""URLs in messages."""

from __future__ import annotations

from urllib.parse import urlsplit


def origin_and_path(url: str) -> str:
    """The URL without user, query and fragment, for messages."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
