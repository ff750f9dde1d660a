"""Deprecated definitions: the note in their docstrings, and the replacement that their comments name."""

from __future__ import annotations

import re
from collections.abc import Iterable

import attrs

from .model import Enum, Method, Service

# An imperative at the start, or a phrase that names a successor. "use" and "set" elsewhere mean nothing.
_ADVICE = re.compile(
    r"(?:please )?(?:call|prefer|see|set|switch to|use)\b"
    r"|.*(?:\binstead\b|\bin favou?r of\b|\b(?:replaced|superseded) by\b|\buse `)",
    re.IGNORECASE,
)
_LABEL = re.compile(r"deprecated\b[.:,;]?\s*", re.IGNORECASE)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z`])")


def instead(doc: str) -> str:
    """Return the last sentence of a comment that says what to use instead, or "".

    >>> instead("Fetches data. Use `DataProxyService.GetActionData`.")
    'Use `DataProxyService.GetActionData`.'
    >>> instead("Deprecated: use `name` instead")
    'Use `name` instead.'
    """
    for sentence in reversed(_SENTENCE_END.split(" ".join(doc.split()))):
        advice = sentence[label.end() :] if (label := _LABEL.match(sentence)) else sentence
        if _ADVICE.match(advice):
            return f"{advice[:1].upper()}{advice[1:].rstrip('.!')}."
    return ""


def noted(doc: str, deprecated: bool) -> str:
    """Return a docstring, with a note at its start if the element is deprecated."""
    if not deprecated or _LABEL.match(doc):
        return doc
    return f"Deprecated. {doc}".strip()


def of_rpc(service: Service, method: Method) -> str | None:
    """Return what to use instead of a deprecated RPC (possibly ""); None if it is not deprecated."""
    if not (method.deprecated or service.deprecated):
        return None
    return instead(method.doc) or instead(service.doc if service.deprecated else "")


def in_enums(enums: Iterable[Enum]) -> tuple[Enum, ...]:
    """Return the enums, with docstrings that name deprecated enums and members."""
    return tuple(
        attrs.evolve(
            enum,
            doc=noted(enum.doc or f"`{enum.full_name}`.", enum.deprecated),
            members=tuple(attrs.evolve(m, doc=noted(m.doc, m.deprecated)) for m in enum.members),
        )
        for enum in enums
    )
