"""Read codegen.toml, which says what to generate and settles what the definitions leave open."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from fnmatch import fnmatchcase
from importlib.resources import files
from pathlib import Path
from typing import Any

import attrs

from flyte_codegen.diagnostics import CodegenError, Diagnostic, fail
from flyte_codegen.kinds.filters import FILTER_KINDS, FilterParam
from flyte_codegen.kinds.methods import CLIENT, METHOD_KINDS
from flyte_codegen.names import RESERVED_AS_PARAMETER

from .lines import Source, is_table, parsed
from .reading import read_table
from .tables import Effects, EntityConfig, Input, Listing, MethodConfig, Output, Rule
from .toml import Section, is_name, nearest

OPTIONAL = "?"
"""The suffix of roles that may be empty."""
ORG = "org"
"""The role that always comes from the client and never becomes a parameter."""
STANDARD_ROLES = (ORG, "project", "domain")
_OURS = "@flyte"
_OF_SOME_KINDS = {"accepts": "enum", "enum": "enum", "value": "value"}
"""The keys that only some kinds of filter have, each with the required key of these kinds."""
_NOT_ROLES = RESERVED_AS_PARAMETER | {
    param.name for kind in METHOD_KINDS.values() for param in (*kind.parameters, CLIENT)
}
"""Names that a role can't have: it is a parameter of methods, beside those that methods have by themselves."""
_ALIKE = ("message", "identity", "properties")
"""The keys that `like` copies from another entity."""


@attrs.frozen
class Config:
    """The whole file. Relative paths start at its folder; `digest` is the hash of its bytes."""

    source: Source
    protos: tuple[Path, ...]
    include: tuple[Path, ...]
    """Folders to look up imports in. Only imported files are compiled."""
    package: str
    output: Path
    runtime: str
    templates: tuple[Path, ...]
    extern: Mapping[str, str]
    effects: Mapping[str, str]
    """Effects by RPC or pattern."""
    exclude: Mapping[str, str]
    roles: Mapping[str, tuple[str, ...]]
    """The parts of a client's scope, with the names of the fields that hold them."""
    scope: Mapping[str, Mapping[str, str]]
    """The roles of fields by message or pattern, beside those of `roles`."""
    listing: Listing | None
    filters: Mapping[str, FilterParam]
    sort_keys: Mapping[str, tuple[str, ...]]
    rules: Mapping[str, Mapping[str, Any]]
    entities: tuple[EntityConfig, ...]
    digest: str = ""

    @property
    def name(self) -> str:
        """The file's name."""
        return self.source.name

    def effect_of(self, rpc: str) -> str:
        """Return the effect of an RPC; "" if the file does not set it. A full name takes precedence over patterns."""
        return self.effects.get(rpc) or next((e for p, e in self.effects.items() if fnmatchcase(rpc, p)), "")


def our_protos() -> Path:
    """Return the folder that `@flyte` stands for: the definitions in this release, in the package or the checkout."""
    packaged = Path(str(files("flyte_codegen") / "protos"))
    return packaged if packaged.is_dir() else Path(__file__).resolve().parents[3] / "protos"


def read(path: Path) -> Config:
    """Read codegen.toml.

    Raises:
        CodegenError: The file is missing, is not TOML, or has unknown keys or values of the wrong type. All errors are
            reported together.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        remedy = "run flyte-codegen in the folder of codegen.toml, or pass --config"
        raise fail(str(path), "no such file", remedy) from None
    except OSError as cause:
        raise fail(str(path), f"can't be read: {cause.strerror}") from None
    data = parsed(str(path), content)
    findings: list[Diagnostic] = []
    config = _config(Section(Source(path.name, content.decode("utf-8-sig")), (), data, findings), path.resolve().parent)
    if findings:
        raise CodegenError(dict.fromkeys(findings))
    return attrs.evolve(config, digest=hashlib.sha256(content).hexdigest())


def _config(top: Section, root: Path) -> Config:
    section = top.section("input")
    source = read_table(Input, section)
    if section.table.get("protos") == []:
        section.refuse("protos", "is empty", "list the folders with your .proto files")
    section = top.section("output")
    output = read_table(Output, section)
    section.refuse_empty("path")
    path = output.path or f"generated/{output.package.replace('.', '/')}"
    inputs = (root, *(root / p for p in (*source.protos, *output.templates)))
    if any(folder.resolve().is_relative_to((root / path).resolve()) for folder in inputs):
        section.refuse("path", f"is {path!r}, which contains inputs of the generator", "choose a separate folder")
    roles = _roles(top.section("roles"))
    listing = top.section("listing")
    listing.refuse_empty("request", "filter", "sort", "filters_field", "sort_field")
    config = Config(
        source=top.source,
        protos=tuple(root / p for p in source.protos),
        include=tuple(our_protos() if p == _OURS else root / p for p in source.include),
        package=output.package,
        output=root / path,
        runtime=output.runtime,
        templates=tuple(root / t for t in output.templates),
        extern=top.mapping("extern"),
        effects=_effects(top.section("effects")),
        exclude=top.mapping("exclude"),
        roles=roles,
        scope=_scope(top, roles),
        listing=read_table(Listing, listing) if listing.table else None,
        filters={name: _filter(name, section) for name, section in top.sections("filters")},
        sort_keys=_sort_keys(top.section("sort_keys")),
        rules=_rules(top),
        entities=_entities(top, output.overlay),
    )
    top.section("entities").check_names()
    listing.finish()
    top.finish()
    return config


def _effects(section: Section) -> dict[str, str]:
    made = read_table(Effects, section)
    for rpc in sorted(set(made.read) & set(made.idempotent)):
        section.refuse("idempotent", f"names {rpc}, which is also listed under read", "remove it from one of them")
    return {rpc: effect for effect in ("read", "idempotent") for rpc in getattr(made, effect)}


def _roles(section: Section) -> dict[str, tuple[str, ...]]:
    section.check_names()
    for name in section.table:
        if is_name(name) and (name in _NOT_ROLES or name.startswith("_")):
            section.refuse(name, "can't be a role: generated methods use the name", "choose another name for the role")
    roles = {name: section.texts(name) for name in section.table} or dict.fromkeys(STANDARD_ROLES, ())
    fields = [field for names in roles.values() for field in names]
    for name, names in roles.items():
        for field in names:
            if fields.count(field) > 1:
                section.refuse(name, f"has the field {field}, which is listed twice", "list each field once")
        if section.table.get(name) == []:
            remedy = f'name the fields that hold it, such as {name} = ["{name}"], or remove the line'
            section.refuse(name, "is empty", remedy)
    return roles


def _scope(top: Section, roles: Mapping[str, object]) -> dict[str, Mapping[str, str]]:
    known = [*roles, *(f"{role}{OPTIONAL}" for role in roles if role != ORG)]
    scope: dict[str, Mapping[str, str]] = {}
    for message, section in top.sections("scope"):
        scope[message] = {field: section.text(field, among=known) for field in section.table}
    return scope


def _sort_keys(section: Section) -> dict[str, tuple[str, ...]]:
    section.check_names()
    found = {name: section.texts(name) for name in section.table}
    for name, keys in found.items():
        if not keys and section.table[name] == []:
            section.refuse(name, "is empty", "list the keys that the server sorts by, or remove the line")
        for key in keys:
            if not key or key.startswith("-") or keys.count(key) > 1:
                section.refuse(
                    name,
                    f"contains {key!r}, which is not a valid key or is a duplicate",
                    "list each key once, without `-`",
                )
                break
    section.finish()
    return found


def _rules(top: Section) -> dict[str, Mapping[str, Any]]:
    rules: dict[str, Mapping[str, Any]] = {}
    for field, section in top.sections("rules"):
        rule = attrs.asdict(read_table(Rule, section))
        rules[field] = {key: value for key, value in rule.items() if key in section.table}
    return rules


def _filter(name: str, section: Section) -> FilterParam:
    if "param" not in section.table and not is_name(name):
        section.refuse("", "is not a valid Python name", 'add param = "..."')
    section.refuse_empty("field", "enum")
    made = read_table(FilterParam, section, name=name)
    kind = FILTER_KINDS.get(made.kind, FILTER_KINDS["equal"])
    for key in kind.keys:
        if key not in section.table:
            section.refuse(key, "is missing", f'add {key} = "..."')
    for key in (key for key in _OF_SOME_KINDS if key in section.table):
        fitting = [kind for kind, found in FILTER_KINDS.items() if _OF_SOME_KINDS[key] in found.keys]
        if made.kind in FILTER_KINDS and made.kind not in fitting:
            remedy = f"remove {key}, or set kind to one of {', '.join(fitting)}"
            section.refuse(key, f"has no effect on a filter of the kind {made.kind}", remedy)
    return attrs.evolve(made, param=made.param or name, field=made.field or name)


def _entities(top: Section, overlay: str) -> tuple[EntityConfig, ...]:
    tables = list(top.sections("entities"))
    return tuple(_entity(name, section, dict(tables), overlay) for name, section in tables)


def _entity(name: str, section: Section, others: Mapping[str, Section], overlay: str) -> EntityConfig:
    like = str(section.table.get("like", ""))
    model: Mapping[str, Any] = {}
    if like and (like not in others or like == name):
        remedy = nearest(like, [other for other in others if other != name])
        section.refuse("like", f"is {like!r}, which is not another entity", remedy)
    elif like and "like" in others[like].table:
        section.refuse("like", f"is {like}, which is itself like another entity", _other_model(name, others))
    elif like:
        model = others[like].table
        section = section.over({"message": _message(like, model), **{k: model[k] for k in _ALIKE if k in model}})
    settings = model.get("methods")
    methods = tuple(
        _method(label, table.over(settings.get(label)) if is_table(settings) else table)
        for label, table in section.sections("methods")
    )
    section.refuse_empty("like", "message", "service", "identity", "summary_of")
    made = read_table(EntityConfig, section, name=name, methods=methods)
    unnamed = [] if made.service else [method.table for method in methods if "." not in method.rpc]
    if unnamed and not section.table.get("service"):
        what = f"is missing, but the RPCs of {', '.join(unnamed)} are looked up in it"
        section.refuse("service", what, 'add service = "package.Service", or give the full names of the RPCs')
    elif not made.message and not made.service:
        section.refuse("message", "is missing", 'add message = "...", or service for the message of its package')
    overlay = f"{overlay}:{name}" if overlay else ""
    return attrs.evolve(made, message=_message(name, section.table), overlay=made.overlay or overlay)


def _other_model(name: str, others: Mapping[str, Section]) -> str:
    """Return the remedy for an entity that is like one that is itself like another."""
    chain = [name]
    while like := str(others[chain[-1]].table.get("like", "")):
        if like in chain:
            return f"remove like from one of {', '.join(chain[chain.index(like) :])}, and name that one in the others"
        if like not in others:
            return f"remove like from {chain[-1]}, or correct it first"
        chain.append(like)
    return f'name that one: like = "{chain[-1]}"'


def _message(entity: str, table: Mapping[str, Any]) -> str:
    """Return the message of an entity: the one of its name in the package of its service, if it does not name one."""
    package = str(table.get("service", "")).rpartition(".")[0]
    return str(table.get("message") or f"{package}.{entity}".lstrip("."))


def _method(label: str, section: Section) -> MethodConfig:
    section.refuse_empty("rpc", "returns")
    made = read_table(MethodConfig, section, table=label)
    section.refuse_repeated("omit", "filters", "positional")
    for path in made.omit:
        if path in made.params:
            what = f"names {path}, which params also names"
            section.refuse("omit", what, "remove it from one of them: a parameter, or a field that callers do not set")
    if made.rpc and not made.name and not is_name(label):
        section.refuse("", "is not a valid Python name", 'add name = "..."')
    # With `rpc` set, the table's name is the method's.
    return attrs.evolve(made, rpc=made.rpc or label, name=made.name or (label if made.rpc else ""))
