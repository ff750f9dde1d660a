"""codegen.toml: what to generate, and the decisions that the definitions leave open."""

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
FILTER_KINDS = (
    "equal",
    "bool",
    "enum",
    "enum_name",
    "prefix",
    "time",
    "message",
    "local",
    "labels",
    "label_keys",
    "fixed",
)
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
    """A parameter of a list method that becomes a filter on `field`; `kind` determines how values are encoded.

    A `fixed` filter has a constant value and no parameter. A `local` filter runs in the client, for conditions that servers
    can't filter by.
    """

    name: str
    field: str
    kind: str
    doc: str
    enum: str = ""
    accepts: str = ""
    """The public class, `module:Class`, whose members the filter of an enum accepts as well."""
    value: str = ""


@attrs.frozen
class MethodConfig:
    """The settings of one method of an entity; `label` is the name of its table if it differs from the RPC's."""

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
    positional: tuple[str, ...] = ()
    """Optional parameters that may be passed by position, in this order after the required ones."""
    final: str = ""
    each: str = ""
    fetch: str = ""
    made_by: str = ""
    bounded_by: str = ""
    sort: str = ""
    sort_keys: str = ""
    on: str = ""
    raw: bool = False
    carry: tuple[str, ...] = ()
    missing_ok: bool = False
    pages: Mapping[str, str] | None = None
    """The paths of token, next token and size of a list with pages; empty for a list without; None if it says neither."""

    @property
    def settled(self) -> tuple[str, ...]:
        """The paths of the request that have a meaning of their own."""
        return (*self.omit, *self.params, *self.carry)

    @property
    def watches(self) -> bool:
        """Whether there is a setting that only watches have."""
        return any((self.final, self.each, self.fetch, self.made_by, self.bounded_by))

    @property
    def table(self) -> str:
        """The name of the method's table."""
        return self.label or self.rpc


@attrs.frozen
class EntityConfig:
    """A table `[entities.NAME]`: the message that the entity wraps, its identity, and its methods."""

    name: str
    message: str
    identity: str
    service: str = ""
    doc: str = ""
    overlay: str = ""
    summary_of: str = ""
    """The details message of the same resource. `message` is built from the fields that both share."""
    properties: Mapping[str, str] = attrs.field(factory=dict[str, str])
    methods: tuple[MethodConfig, ...] = ()

    def full_name(self, method: MethodConfig) -> str:
        """Return the full name of a method's RPC. The entity's service is the default prefix."""
        return method.rpc if "." in method.rpc else f"{self.service}.{method.rpc}"


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
        """The file's name."""
        return self.source.name


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
    source = top.section("input")
    protos = source.texts("protos", ("protos",))
    if source.table.get("protos") == []:
        source.refuse("protos", "is empty", "list the folders with your .proto files")
    include = source.texts("include")
    source.finish()
    output = top.section("output")
    package = output.shaped("package", "generated_api", _MODULE, "a valid module name")
    path = output.text("path", f"generated/{package.replace('.', '/')}")
    runtime = output.shaped("runtime", "flyte_rpc.v1", _MODULE, "a valid module name")
    templates = output.texts("templates")
    output.finish()
    inputs = (root, *(root / p for p in (*protos, *templates)))
    if any(folder.resolve().is_relative_to((root / path).resolve()) for folder in inputs):
        output.refuse("path", f"is {path!r}, which contains inputs of the generator", "choose a separate folder")
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
        section.refuse("idempotent", f"names {rpc}, which is also listed under read", "remove it from one of them")
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
        rule = {"required": section.flag("required"), "min_len": section.number("min_len")}
        rule["max_len"] = section.number("max_len")
        rules[field] = {key: value for key, value in rule.items() if key in section.table}
        section.finish()
    return rules


def _filter(name: str, section: Section) -> FilterParam:
    kind = section.text("kind", among=FILTER_KINDS)
    fixed = kind == "fixed"
    if "param" not in section.table and not is_name(name):
        section.refuse("", "is not a valid Python name", 'add param = "..."')
    made = FilterParam(
        section.name("param") or name,
        field="" if kind == "message" else section.required("field"),
        kind=section.required("kind"),
        doc=section.text("doc") if fixed else section.required("doc"),
        enum=section.required("enum") if kind.startswith("enum") else "",
        accepts=section.shaped("accepts", "", _OVERLAY, "module:Class") if kind.startswith("enum") else "",
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
        section.refuse("", "is not a valid Python name", 'add name = "..."')
    made = MethodConfig(
        rpc=rpc or label,
        label=label if rpc else "",
        # With `rpc` set, the table's name is the method's.
        name=name or (label if rpc else ""),
        kind=section.text("kind", among=METHOD_KINDS),
        items=section.text("items"),
        returns=section.text("returns"),
        doc=section.text("doc"),
        params=section.mapping("params", names="values"),
        filters=section.texts("filters"),
        omit=section.texts("omit"),
        positional=section.texts("positional"),
        final=section.name("final"),
        each=section.name("each"),
        fetch=section.name("fetch"),
        made_by=section.name("made_by"),
        bounded_by=section.name("bounded_by"),
        sort=section.text("sort"),
        sort_keys=section.text("sort_keys"),
        on=section.text("on", among=ON),
        raw=section.flag("raw"),
        carry=section.texts("carry"),
        missing_ok=section.flag("missing_ok"),
        pages=section.mapping("pages", names="keys") if "pages" in section.table else None,
    )
    section.finish()
    return made
