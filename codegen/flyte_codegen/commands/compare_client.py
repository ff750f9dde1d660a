"""Compare the methods and properties that codegen.toml generates from two versions of the definitions."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from flyte_codegen.binding.entities import link
from flyte_codegen.binding.model import PyEntity, PyMethod
from flyte_codegen.configuration.rules import Rules
from flyte_codegen.configuration.settings import Config
from flyte_codegen.configuration.tables import EntityConfig
from flyte_codegen.definitions.model import Api
from flyte_codegen.diagnostics import Diagnostic, Level
from flyte_codegen.kinds.code import Code, Literal, optional
from flyte_codegen.kinds.methods import Param
from flyte_codegen.python.type_names import Naming

from .changes import Change

_METHOD, _PROPERTY = "client method", "client property"


class Client:
    """The client generated from one version of the definitions."""

    def __init__(self, config: Config, api: Api, rules: Rules) -> None:
        self.config, self.api, self.rules = config, api, rules
        self.naming = Naming(api, config.package, config.extern)

    def part(self, entity: EntityConfig) -> PyEntity | str:
        """Link an entity with a single method or property, or return the error. One failure does not hide others."""
        findings: list[Diagnostic] = []
        made = link(self.api, self.naming, self.config, self.rules, entity, findings)
        errors = [finding.message for finding in findings if finding.level is Level.ERROR]
        return made if made and not errors else errors[0]


def compare_clients(old: Client, new: Client) -> list[Change]:
    """Return the methods and properties that are added, change or break, in the order of codegen.toml."""
    found: list[Change] = []
    for entity in new.config.entities:
        bare = attrs.evolve(entity, properties={}, methods=())
        for method in entity.methods:
            one = attrs.evolve(bare, methods=(method,))
            found += _method(f"{entity.name}.{method.name or method.rpc}", entity.name, old.part(one), new.part(one))
        for name, path in entity.properties.items():
            one = attrs.evolve(bare, properties={name: path})
            found += _property(f"{entity.name}.{name}", old.part(one), new.part(one))
    return found


def _existence(kind: str, name: str, old: PyEntity | str, new: PyEntity | str) -> Change | None:
    """Return the change for a method or property that only one version has."""
    if isinstance(new, str):
        # If both versions fail, codegen.toml is wrong; `generate` reports that.
        return None if isinstance(old, str) else Change(kind, name, "breaks", new, source=True)
    return Change(kind, name, "appears", f"before, {old}") if isinstance(old, str) else None


def _method(name: str, entity: str, old: PyEntity | str, new: PyEntity | str) -> Iterator[Change]:
    if isinstance(old, str) or isinstance(new, str):
        made = new if isinstance(old, str) else old
        name = name if isinstance(made, str) else f"{entity}.{made.methods[0].name}"
        change = _existence(_METHOD, name, old, new)
        yield from [change] if change else []
        return
    before, after = old.methods[0], new.methods[0]
    name = f"{entity}.{before.name}"
    for what, was, now in (
        ("renamed", before.name, after.name),
        ("changes its kind", before.shape.kind.name, after.shape.kind.name),
        ("changes between class and instance method", before.signature.first, after.signature.first),
        ("changes its return type", str(before.returns), str(after.returns)),
    ):
        if was != now:
            yield Change(_METHOD, name, what, f"{was} -> {now}", source=True)
    yield from _parameters(name, before, after)


def _parameters(name: str, before: PyMethod, after: PyMethod) -> Iterator[Change]:
    was, now = ({p.name: p for p in made.signature.params} for made in (before, after))
    for key, old in was.items():
        if key not in now:
            yield Change(_METHOD, name, "loses a parameter", str(old), source=True)
    for key, new in now.items():
        if key not in was:
            detail = f"{new}, which is required" if new.required else str(new)
            yield Change(_METHOD, name, "gains a parameter", detail, source=new.required)
        elif str(was[key]) != str(new):
            detail = f"{was[key]} -> {new}"
            yield Change(_METHOD, name, "changes a parameter", detail, source=not _accepts(was[key], new))
    order = [p.name for p in before.signature.positional if p.name in now]
    kept = [p.name for p in after.signature.positional][: len(order)]
    if order != kept:
        detail = f"{', '.join(order)} -> {', '.join(kept) or 'none'}"
        yield Change(_METHOD, name, "changes its positional parameters", detail, source=True)


def _accepts(old: Param, new: Param) -> bool:
    """Whether every argument that the old parameter accepts is valid for the new one."""
    wider = str(new.annotation) in (str(old.annotation), str(optional(old.annotation)))
    return wider and (old.required or _same(old.default, new.default) or new.default == Literal(None))


def _same(old: Code | None, new: Code | None) -> bool:
    return str(old) == str(new)


def _property(name: str, old: PyEntity | str, new: PyEntity | str) -> Iterator[Change]:
    if isinstance(old, str) or isinstance(new, str):
        change = _existence(_PROPERTY, name, old, new)
        yield from [change] if change else []
        return
    was, now = str(old.properties[0].annotation), str(new.properties[0].annotation)
    if was != now:
        yield Change(_PROPERTY, name, "changes its type", f"{was} -> {now}", source=True)
