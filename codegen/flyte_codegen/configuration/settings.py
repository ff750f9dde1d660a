"""codegen.toml: what to generate, and the answers that the definitions alone do not give."""

from __future__ import annotations

import hashlib
import keyword
import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import attrs

from flyte_codegen.diagnostics import CodegenError, Diagnostic, fail

from .lines import Source, parsed
from .toml import Section, is_name

METHOD_KINDS = ("list", "get", "create", "watch", "stream", "call")
FILTER_KINDS = ("equal", "bool", "enum", "enum_name", "prefix", "time", "message", "local", "fixed")
OPTIONAL = "?"
ROLES = ("org", "project", "domain", f"project{OPTIONAL}", f"domain{OPTIONAL}")
ON = ("class", "instance")
_EFFECTS = ("read", "idempotent")
_LISTING = ("request", "filter", "sort", "filters_field", "sort_field")
_OVERLAY = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", re.ASCII)
_PART = rf"(?!({'|'.join(keyword.kwlist)})\b)[A-Za-z_]\w*"
_MODULE = re.compile(rf"{_PART}(\.{_PART})*", re.ASCII)
_OURS = "@flyte"


@attrs.frozen
class FilterParam:
    """A parameter of a list method that becomes a filter on `field`; `kind` says how values are written.

    A `fixed` filter is no parameter, but always the same; a `local` one is for what servers can't tell apart, and leaves
    items out here.
    """

    name: str
    field: str
    kind: str
    doc: str
    enum: str = ""
    value: str = ""


@attrs.frozen
class MethodConfig:
    """What codegen.toml says of one method of an entity; `label` is the name of its table, where that is not the RPC's."""

    rpc: str
    label: str = ""
    name: str = ""
    kind: str = ""
    items: str = ""
    returns: str = ""
    doc: str = ""
    params: Mapping[str, str] = attrs.field(factory=dict[str, str])
    filters: tuple[str, ...] = ()
    omit: tuple[str, ...] = ()
    final: str = ""
    each: str = ""
    fetch: str = ""
    bounded_by: str = ""
    sort: str = ""
    sort_keys: str = ""
    on: str = ""
    raw: bool = False
    carry: tuple[str, ...] = ()
    missing_ok: bool = False

    @property
    def table(self) -> str:
        """The name of its table."""
        return self.label or self.rpc


@attrs.frozen
class EntityConfig:
    """A table `[entities.NAME]`: the message an entity wraps, what names it, and its methods."""

    name: str
    message: str
    identity: str
    service: str = ""
    doc: str = ""
    overlay: str = ""
    summary_of: str = ""
    """The message with the details of the same resource, whose shared fields make up `message`."""
    properties: Mapping[str, str] = attrs.field(factory=dict[str, str])
    methods: tuple[MethodConfig, ...] = ()

    def full_name(self, method: MethodConfig) -> str:
        """The full name of the RPC behind a method; the entity's service need not be repeated."""
        return method.rpc if "." in method.rpc else f"{self.service}.{method.rpc}"


@attrs.frozen
class Config:
    """The whole file, with paths relative to the folder it lies in; `digest` is that of its bytes."""

    source: Source
    protos: tuple[Path, ...]
    include: tuple[Path, ...]
    """Folders that imports are looked up in; what nothing imports is not compiled."""
    package: str
    output: Path
    runtime: str
    templates: tuple[Path, ...]
    extern: Mapping[str, str]
    effects: Mapping[str, str]
    exclude: Mapping[str, str]
    scope: Mapping[str, Mapping[str, str]]
    list_request: Mapping[str, str]
    filters: Mapping[str, FilterParam]
    sort_keys: Mapping[str, tuple[str, ...]]
    rules: Mapping[str, Mapping[str, Any]]
    entities: tuple[EntityConfig, ...]
    digest: str = ""

    @property
    def name(self) -> str:
        """What the file is called."""
        return self.source.name


def our_protos() -> Path:
    """The definitions of this release, which `@flyte` stands for: packaged in a wheel, at the top of a checkout."""
    packaged = Path(str(files("flyte_codegen") / "protos"))
    return packaged if packaged.is_dir() else Path(__file__).resolve().parents[3] / "protos"


def read(path: Path) -> Config:
    """Read codegen.toml.

    Raises:
        CodegenError: The file is missing, is not TOML, or holds an unknown key or a value of the wrong type; all
            findings together.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        remedy = "run flyte-codegen in the folder of codegen.toml, or name it with --config"
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
    source = top.section("input")
    protos = source.texts("protos", ("protos",))
    if source.table.get("protos") == []:
        source.refuse("protos", "is empty", "name the folders that hold your .proto files")
    include = source.texts("include")
    source.finish()
    output = top.section("output")
    package = output.shaped("package", "generated_api", _MODULE, "a module's name")
    path = output.text("path", f"generated/{package.replace('.', '/')}")
    runtime = output.shaped("runtime", "flyte_rpc.v1", _MODULE, "a module's name")
    templates = output.texts("templates")
    output.finish()
    inputs = (root, *(root / p for p in (*protos, *templates)))
    if any(folder.resolve().is_relative_to((root / path).resolve()) for folder in inputs):
        output.refuse("path", f"is {path!r}, a folder that contains inputs of the generator", "name one of its own")
    config = Config(
        source=top.source,
        protos=tuple(root / p for p in protos),
        include=tuple(our_protos() if p == _OURS else root / p for p in include),
        package=package,
        output=root / path,
        runtime=runtime,
        templates=tuple(root / t for t in templates),
        extern=top.mapping("extern"),
        effects=_effects(top.section("effects")),
        exclude=top.mapping("exclude"),
        scope=_scope(top),
        list_request=_listing(top.section("listing")),
        filters={name: _filter(name, section) for name, section in top.sections("filters")},
        sort_keys=_sort_keys(top.section("sort_keys")),
        rules=_rules(top),
        entities=tuple(_entity(name, section) for name, section in top.sections("entities")),
    )
    top.section("entities").check_names()
    top.finish()
    return config


def _effects(section: Section) -> dict[str, str]:
    effects = {rpc: effect for effect in _EFFECTS for rpc in section.texts(effect)}
    for rpc in sorted(set(section.texts("read")) & set(section.texts("idempotent"))):
        section.refuse("idempotent", f"names {rpc}, which is among read as well", "remove it from one of the two")
    section.finish()
    return effects


def _scope(top: Section) -> dict[str, Mapping[str, str]]:
    scope: dict[str, Mapping[str, str]] = {}
    for message, section in top.sections("scope"):
        scope[message] = {field: section.text(field, among=ROLES) for field in section.table}
    return scope


def _listing(section: Section) -> dict[str, str]:
    listing = {key: section.required(key) for key in _LISTING} if section.table else {}
    section.finish()
    return listing


def _sort_keys(section: Section) -> dict[str, tuple[str, ...]]:
    section.check_names()
    found = {name: section.texts(name) for name in section.table}
    for name, keys in found.items():
        if not keys and section.table[name] == []:
            section.refuse(name, "is empty", "list the keys that the server sorts by, or remove it")
        for key in keys:
            if not key or key.startswith("-") or keys.count(key) > 1:
                section.refuse(
                    name, f"holds {key!r}, which is not a key, or is listed twice", "list each key once, without `-`"
                )
                break
    section.finish()
    return found


def _rules(top: Section) -> dict[str, Mapping[str, Any]]:
    rules: dict[str, Mapping[str, Any]] = {}
    for field, section in top.sections("rules"):
        rule = {"required": section.flag("required"), "min_len": section.number("min_len")}
        rule["max_len"] = section.number("max_len")
        rules[field] = {key: value for key, value in rule.items() if key in section.table}
        section.finish()
    return rules


def _filter(name: str, section: Section) -> FilterParam:
    kind = section.text("kind", among=FILTER_KINDS)
    fixed = kind == "fixed"
    if "param" not in section.table and not is_name(name):
        section.refuse("", "is not a name in Python", 'add param = "..."')
    made = FilterParam(
        section.name("param") or name,
        field="" if kind == "message" else section.required("field"),
        kind=section.required("kind"),
        doc=section.text("doc") if fixed else section.required("doc"),
        enum=section.required("enum") if kind.startswith("enum") else "",
        value=section.required("value") if fixed else "",
    )
    section.finish()
    return made


def _entity(name: str, section: Section) -> EntityConfig:
    made = EntityConfig(
        name=name,
        message=section.required("message"),
        identity=section.required("identity"),
        service=section.text("service"),
        doc=section.text("doc"),
        overlay=section.shaped("overlay", "", _OVERLAY, "module:Class"),
        summary_of=section.text("summary_of"),
        properties=section.mapping("properties", names="keys"),
        methods=tuple(_method(label, method) for label, method in section.sections("methods")),
    )
    section.finish()
    return made


def _method(label: str, section: Section) -> MethodConfig:
    rpc = section.text("rpc")
    name = section.name("name")
    if rpc and not name and not is_name(label):
        section.refuse("", "is not a name in Python", 'add name = "..."')
    made = MethodConfig(
        rpc=rpc or label,
        label=label if rpc else "",
        # A table that is not named after its RPC is named after the method.
        name=name or (label if rpc else ""),
        kind=section.text("kind", among=METHOD_KINDS),
        items=section.text("items"),
        returns=section.text("returns"),
        doc=section.text("doc"),
        params=section.mapping("params", names="values"),
        filters=section.texts("filters"),
        omit=section.texts("omit"),
        final=section.name("final"),
        each=section.name("each"),
        fetch=section.name("fetch"),
        bounded_by=section.name("bounded_by"),
        sort=section.text("sort"),
        sort_keys=section.text("sort_keys"),
        on=section.text("on", among=ON),
        raw=section.flag("raw"),
        carry=section.texts("carry"),
        missing_ok=section.flag("missing_ok"),
    )
    section.finish()
    return made
