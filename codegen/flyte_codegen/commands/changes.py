"""Differences between two versions of the definitions, and how to show them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

import attrs


@attrs.frozen
class Change:
    """One difference.

    Attributes:
        kind: What has changed: a message, field, enum, enum value, service, RPC, client method or client property.
        name: Its full name.
        what: What happened to the element, such as `removed`.
        detail: The old and the new value.
        wire: Whether programs on one version misread messages of the other, or have their requests rejected.
        source: Whether Python code written against the old version may fail with the new one.
    """

    kind: str
    name: str
    what: str
    detail: str = ""
    wire: bool = False
    source: bool = False

    @property
    def breaks(self) -> tuple[str, ...]:
        """What the change breaks: `wire`, `source`, both or nothing."""
        return tuple(name for name, broken in (("wire", self.wire), ("source", self.source)) if broken)

    def __str__(self) -> str:
        return f"{self.kind} {self.name} {self.what}" + (f": {self.detail}" if self.detail else "")


_HEADINGS = (
    (("wire",), "breaks on the wire"),
    (("wire", "source"), "breaks on the wire and Python callers"),
    (("source",), "breaks Python callers"),
    ((), "compatible"),
)


def as_text(changes: Sequence[Change]) -> str:
    """Format the changes as text, breaking ones first."""
    sections: list[str] = []
    for breaks, heading in _HEADINGS:
        found = [change for change in changes if change.breaks == breaks]
        if found:
            sections.append("\n  ".join([f"{heading} ({len(found)})", *_grouped(found)]))
    return "\n\n".join(sections) or "no changes"


def as_json(changes: Iterable[Change]) -> str:
    """Format the changes as a JSON list. Each has `kind`, `name`, `what`, `detail`, and `breaks`, a list."""
    data = [{"kind": c.kind, "name": c.name, "what": c.what, "detail": c.detail, "breaks": c.breaks} for c in changes]
    return json.dumps(data, indent=1)


def _grouped(changes: Sequence[Change]) -> Iterator[str]:
    """Yield lines for the changes. The same change to several members of one owner is one line, if it has no detail."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for change in changes:
        owner, _, name = change.name.rpartition(".")
        key = (owner, change.kind, change.what) if not change.detail else ("", str(change), "")
        groups.setdefault(key, []).append(name)
    for (owner, kind, what), names in groups.items():
        plural = kind if len(names) == 1 else f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"
        yield f"{owner}: {plural} {what}: {', '.join(names)}" if owner else kind
