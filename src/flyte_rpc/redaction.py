"""Removes credentials from text that people will read, log and paste into tickets."""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

_URL_USER = re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^\s/?#@'\"]+@", re.IGNORECASE)
_URL_QUERY = re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s?'\"<>]+\?)[^\s'\"<>]+", re.IGNORECASE)
_BEARER = re.compile(r"\b(bearer|basic)(\s+)[\w.~+/=-]{6,}", re.IGNORECASE)

SHORTEST_SECRET = 6
"""Minimum characters of a secret to remove from explanations. Shorter ones match unrelated parts of words."""

_hidden: ContextVar[tuple[str, ...]] = ContextVar("rpc_hidden", default=())

hidden = _hidden.get
"""Secrets of the enclosing `hiding` blocks, to remove from errors and log lines."""


@contextmanager
def hiding(secret: str | bytes) -> Generator[None]:
    """Remove a secret from the errors of calls in a `with` block, because servers may repeat rejected values."""
    text = secret if isinstance(secret, str) else secret.decode(errors="ignore")
    reset = _hidden.set((*_hidden.get(), text))
    try:
        yield
    finally:
        _hidden.reset(reset)


def redact(text: str, *secrets: str | None) -> str:
    """Remove URL queries (they may contain signatures), URL passwords, bearer tokens and secrets from text."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    text = _URL_USER.sub(r"\1***@", text)
    text = _URL_QUERY.sub(r"\1***", text)
    return _BEARER.sub(r"\1\2***", text)
