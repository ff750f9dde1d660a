"""Compare two versions of the definitions. `docs/upgrading.md` explains which changes are breaking, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol, TypeVar

from flyte_codegen.definitions.model import Api, Enum, Field, Label, Message, Method, Service
from flyte_codegen.definitions.wire_types import python_type, shown, wire_compatible
from flyte_codegen.python.services import cardinality

from .changes import Change


class _Named(Protocol):
    @property
    def deprecated(self) -> bool: ...


T = TypeVar("T", bound=_Named)


def compare(old: Api, new: Api) -> list[Change]:
    """Return the changes from `old` to `new`: services first, then messages and enums, each sorted by name."""
    return [*_services(old, new), *_messages(old, new), *_enums(old, new)]


def _pairs(
    kind: str, old: Mapping[str, T], new: Mapping[str, T], found: list[Change], *, wire: bool = False
) -> Iterator[tuple[str, T, T]]:
    """Return the elements that both versions have, by name. Append added, removed and newly deprecated ones to `found`."""
    for name in sorted({*old, *new}):
        if name not in new:
            found.append(Change(kind, name, "removed", wire=wire, source=True))
        elif name not in old:
            found.append(Change(kind, name, "added"))
        else:
            if new[name].deprecated and not old[name].deprecated:
                found.append(Change(kind, name, "deprecated"))
            yield name, old[name], new[name]


def _services(old: Api, new: Api) -> list[Change]:
    found: list[Change] = []
    services = [{s.full_name: s for s in api.services()} for api in (old, new)]
    for _, before, after in _pairs("service", services[0], services[1], found, wire=True):
        if before.module != after.module:
            found.append(_moved("service", before.full_name, before, after))
        rpcs = [{m.full_name: m for m in service.methods} for service in (before, after)]
        for name, was, now in _pairs("RPC", rpcs[0], rpcs[1], found, wire=True):
            found += _rpc(name, was, now)
    return found


def _moved(kind: str, name: str, old: Service, new: Service) -> Change:
    return Change(kind, name, "moved to another module", f"{old.module} -> {new.module}", source=True)


def _rpc(name: str, old: Method, new: Method) -> Iterator[Change]:
    for what, before, after in (
        ("request changed", old.request, new.request),
        ("response changed", old.response, new.response),
        ("streaming changed", _streams(old), _streams(new)),
    ):
        if before != after:
            yield Change("RPC", name, what, f"{before} -> {after}", wire=True, source=True)
    if old.idempotency != new.idempotency:
        yield Change("RPC", name, "idempotency changed", f"{old.idempotency or 'none'} -> {new.idempotency or 'none'}")


def _streams(method: Method) -> str:
    return cardinality(method).lower().replace("_", " ")


def _messages(old: Api, new: Api) -> list[Change]:
    found: list[Change] = []
    for name, before, after in _pairs("message", old.messages, new.messages, found):
        if old.file_of[name].module != new.file_of[name].module:
            files = f"{old.file_of[name].name} -> {new.file_of[name].name}"
            found.append(Change("message", name, "moved to another file", files, source=True))
        found += _Fields(old, new, before, after).changes()
    return found


class _Fields:
    """Compares the fields of a message."""

    def __init__(self, old: Api, new: Api, before: Message, after: Message) -> None:
        self.old, self.new, self.before, self.after = old, new, before, after
        self.name = before.full_name

    def changes(self) -> list[Change]:
        found: list[Change] = []
        was, now = ({field.name: field for field in message.fields} for message in (self.before, self.after))
        numbers = {field.number: field for field in now.values() if field.name not in was}
        # The number now belongs to another name. If the type still fits the wire, the field was renamed; else replaced.
        for name in [name for name in was if name not in now]:
            successor = numbers.get(was[name].number)
            if successor is not None and self._same_wire(was[name], successor):
                found.append(self._change(name, "renamed", f"now {successor.name}", source=True))
                found += self._field(successor.name, was[name], successor)
                del was[name], now[successor.name]
            elif successor is not None:
                detail = (
                    f"{shown(was[name])}; its number {successor.number} is now {successor.name}, {shown(successor)}"
                )
                found.append(self._change(name, "removed", detail, wire=True, source=True))
                del was[name], now[successor.name]
        fields = [{f"{self.name}.{name}": field for name, field in table.items()} for table in (was, now)]
        for _, before, after in _pairs("field", fields[0], fields[1], found):
            found += self._field(after.name, before, after)
        return found

    def _change(self, name: str, what: str, detail: str, *, wire: bool = False, source: bool = False) -> Change:
        return Change("field", f"{self.name}.{name}", what, detail, wire=wire, source=source)

    def _field(self, name: str, old: Field, new: Field) -> Iterator[Change]:
        if old.number != new.number:
            yield self._change(name, "renumbered", f"{old.number} -> {new.number}", wire=True)
        in_oneof, repeated = bool(old.oneof or new.oneof), Label.REPEATED in (old.label, new.label)
        # A oneof member is always optional; its move into or out of the oneof is reported instead.
        label = old.label is not new.label and (repeated or not in_oneof)
        python = python_type(old) != python_type(new)
        wire = not self._same_wire(old, new)
        if python or (old.kind, old.map_key, old.map_value) != (new.kind, new.map_key, new.map_value):
            yield self._change(name, "retyped", f"{shown(old)} -> {shown(new)}", wire=wire, source=python or label)
        elif label:
            detail = f"{old.label.value} -> {new.label.value}"
            yield self._change(name, "relabelled", detail, wire=wire, source=True)
        if old.oneof != new.oneof:
            yield from self._moved(name, old, new)

    def _same_wire(self, old: Field, new: Field) -> bool:
        return wire_compatible(self.old, self.new, old, new)

    def _moved(self, name: str, old: Field, new: Field) -> Iterator[Change]:
        """A move between oneofs. It loses data if two fields exclude each other in one version but not in the other."""
        if old.oneof and new.oneof and self._numbers(self.before, old) <= self._numbers(self.after, new):
            yield self._change(name, "in a renamed oneof", f"{old.oneof} -> {new.oneof}", source=True)
            return
        steps = ((self.before, old.oneof, "moved out of a oneof"), (self.after, new.oneof, "moved into a oneof"))
        for message, oneof, what in steps:
            if oneof:
                others = [f.name for f in message.oneofs[oneof] if f.name != name]
                shared = any(self.before.field(other) and self.after.field(other) for other in others)
                yield self._change(name, what, oneof, wire=shared, source=True)

    def _numbers(self, message: Message, field: Field) -> set[int]:
        return {member.number for member in message.oneofs[field.oneof]}


def _enums(old: Api, new: Api) -> list[Change]:
    found: list[Change] = []
    for name, before, after in _pairs("enum", old.enums, new.enums, found):
        if old.file_of[name].module != new.file_of[name].module:
            files = f"{old.file_of[name].name} -> {new.file_of[name].name}"
            found.append(Change("enum", name, "moved to another file", files, source=True))
        found += _values(before, after)
    return found


def _values(before: Enum, after: Enum) -> list[Change]:
    found: list[Change] = []
    was, now = ({m.name: m for m in enum.members} for enum in (before, after))
    numbers = {m.number: m.name for m in after.members if m.name not in was}
    for name in [name for name in was if name not in now and was[name].number in numbers]:
        successor = numbers[was[name].number]
        found.append(Change("enum value", f"{before.full_name}.{name}", "renamed", f"now {successor}", source=True))
        del was[name]
        now.pop(successor, None)
    members = [{f"{before.full_name}.{name}": member for name, member in table.items()} for table in (was, now)]
    for name, old, new in _pairs("enum value", members[0], members[1], found):
        if old.number != new.number:
            found.append(Change("enum value", name, "renumbered", f"{old.number} -> {new.number}", wire=True))
        elif old.py_name != new.py_name:  # the prefix that all members share has changed
            found.append(
                Change("enum value", name, "renamed in Python", f"{old.py_name} -> {new.py_name}", source=True)
            )
    return found
