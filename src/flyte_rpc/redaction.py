"""Takes credentials out of text that people will read, log and paste into tickets."""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

_URL_USER = re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^\s/?#@'\"]+@", re.IGNORECASE)
_URL_QUERY = re.compile(r"(\bhttps?://[^\s?'\"<>]+\?)[^\s'\"<>]+", re.IGNORECASE)
_BEARER = re.compile(r"\b(bearer|basic)(\s+)[\w.~+/=-]{6,}", re.IGNORECASE)

_hidden: ContextVar[tuple[str, ...]] = ContextVar("rpc_hidden", default=())

hidden = _hidden.get
"""What the blocks around a call want to have taken out of its errors and log lines."""


@contextmanager
def hiding(secret: str | bytes) -> Generator[None]:
    """Take a secret out of the errors of calls in a `with` block, where servers may repeat what they refuse."""
    text = secret if isinstance(secret, str) else secret.decode(errors="ignore")
    reset = _hidden.set((*_hidden.get(), text))
    try:
        yield
    finally:
        _hidden.reset(reset)


def redact(text: str, *secrets: str | None) -> str:
    """The text without URL queries (signatures live there), URL passwords, bearer tokens and the given secrets."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    text = _URL_USER.sub(r"\1***@", text)
    text = _URL_QUERY.sub(r"\1***", text)
    return _BEARER.sub(r"\1\2***", text)
