"""A difference between two versions of the definitions, and how a list of them is shown."""

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
        what: What happened to it, such as `removed`.
        detail: From what to what.
        wire: Whether programs that use one version misread, or are refused by, those that use the other.
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
        """What it breaks: `wire`, `source`, both or nothing."""
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
    """The changes for readers, what breaks before what does not."""
    sections: list[str] = []
    for breaks, heading in _HEADINGS:
        found = [change for change in changes if change.breaks == breaks]
        if found:
            sections.append("\n  ".join([f"{heading} ({len(found)})", *_grouped(found)]))
    return "\n\n".join(sections) or "nothing has changed"


def as_json(changes: Iterable[Change]) -> str:
    """A list of objects with `kind`, `name`, `what`, `detail` and `breaks`, a list of `wire` and `source`."""
    data = [{"kind": c.kind, "name": c.name, "what": c.what, "detail": c.detail, "breaks": c.breaks} for c in changes]
    return json.dumps(data, indent=1)


def _grouped(changes: Sequence[Change]) -> Iterator[str]:
    """Lines for changes: members of one owner to which the same happened share one, unless there is more to say."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for change in changes:
        owner, _, name = change.name.rpartition(".")
        key = (owner, change.kind, change.what) if not change.detail else ("", str(change), "")
        groups.setdefault(key, []).append(name)
    for (owner, kind, what), names in groups.items():
        plural = kind if len(names) == 1 else f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"
        yield f"{owner}: {plural} {what}: {', '.join(names)}" if owner else kind
