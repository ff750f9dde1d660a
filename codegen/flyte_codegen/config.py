"""codegen.toml: what to generate, and the answers that the definitions alone do not give."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from .diagnostics import CodegenError, Diagnostic, error, fail


@attrs.frozen
class FilterParam:
    """A parameter of a list method that becomes a filter on `field`; `kind` says how values are written."""

    name: str
    field: str
    kind: str
    doc: str
    enum: str = ""


@attrs.frozen
class MethodConfig:
    """What codegen.toml says of one RPC of an entity."""

    rpc: str
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
    sort: str = ""
    missing_ok: bool = False


@attrs.frozen
class EntityConfig:
    """A table `[entities.NAME]`: the message an entity wraps, what names it, and its methods."""

    name: str
    message: str
    identity: str
    service: str = ""
    doc: str = ""
    overlay: str = ""
    properties: Mapping[str, str] = attrs.field(factory=dict[str, str])
    methods: tuple[MethodConfig, ...] = ()


@attrs.frozen
class Config:
    """The whole file, with paths relative to the folder it lies in."""

    root: Path
    protos: tuple[Path, ...]
    package: str
    output: Path
    runtime: str
    templates: tuple[Path, ...]
    extern: Mapping[str, str]
    effects: Mapping[str, str]
    scope: Mapping[str, Mapping[str, str]]
    list_request: Mapping[str, str]
    filters: Mapping[str, FilterParam]
    rules: Mapping[str, Mapping[str, Any]]
    entities: tuple[EntityConfig, ...]


_KEYS: dict[str, frozenset[str]] = {
    "": frozenset({"input", "output", "extern", "effects", "scope", "listing", "filters", "rules", "entities"}),
    "input": frozenset({"protos"}),
    "output": frozenset({"package", "path", "runtime", "templates"}),
    "effects": frozenset({"read", "idempotent"}),
    "listing": frozenset({"request", "filter", "sort", "filters_field", "sort_field"}),
    "filters.*": frozenset({"field", "kind", "doc", "enum"}),
    "entities.*": frozenset({"message", "identity", "service", "doc", "overlay", "properties", "methods"}),
    "entities.*.methods.*": frozenset(
        {"name", "kind", "items", "returns", "doc", "params", "filters", "omit", "final", "each", "sort", "missing_ok"}
    ),
}


def read(path: Path) -> Config:
    """Read codegen.toml.

    Raises:
        CodegenError: The file is missing, is not TOML, or holds an unknown key or a value of the wrong type.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise fail(
            str(path), "no such file", "run flyte-codegen where codegen.toml lies, or name it with --config"
        ) from None
    except tomllib.TOMLDecodeError as cause:
        raise fail(str(path), f"not valid TOML: {cause}") from None
    findings: list[Diagnostic] = []
    _check_keys(path.name, data, "", findings)
    if findings:
        raise CodegenError(findings)
    root = path.resolve().parent
    output: dict[str, Any] = data.get("output", {})
    package = str(output.get("package", "generated_api"))
    return Config(
        root=root,
        protos=tuple(root / p for p in data.get("input", {}).get("protos", ["protos"])),
        package=package,
        output=root / output.get("path", f"generated/{package}"),
        runtime=output.get("runtime", "flyte.runtime.v1"),
        templates=tuple(root / t for t in output.get("templates", [])),
        extern=data.get("extern", {}),
        effects={rpc: effect for effect, rpcs in data.get("effects", {}).items() for rpc in rpcs},
        scope=data.get("scope", {}),
        list_request=data.get("listing", {}),
        filters={n: FilterParam(name=n, **table) for n, table in data.get("filters", {}).items()},
        rules=data.get("rules", {}),
        entities=tuple(_entity(n, table) for n, table in data.get("entities", {}).items()),
    )


def _entity(name: str, table: dict[str, Any]) -> EntityConfig:
    methods: list[MethodConfig] = []
    for rpc, entries in table.get("methods", {}).items():
        for entry in entries if isinstance(entries, list) else [entries]:
            values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in entry.items()}
            methods.append(MethodConfig(rpc=rpc, **values))
    plain = {k: v for k, v in table.items() if k != "methods"}
    return EntityConfig(name=name, methods=tuple(methods), **plain)


def _check_keys(place: str, table: dict[str, Any], path: str, findings: list[Diagnostic]) -> None:
    allowed = _KEYS.get(path)
    for key, value in table.items():
        if allowed is not None and key not in allowed:
            near = difflib.get_close_matches(key, allowed, n=1)
            where = f"[{path}] " if path else ""
            remedy = f"did you mean {near[0]}?" if near else f"known keys: {', '.join(sorted(allowed))}"
            findings.append(error(place, f"{where}{key} is not a known key", remedy))
        inner = f"{path}.{key}".lstrip(".")
        wild = ".".join([*inner.split(".")[:-1], "*"])
        for entry in value if isinstance(value, list) else [value]:
            if isinstance(entry, dict) and (inner in _KEYS or wild in _KEYS or inner in ("filters", "entities")):
                _check_keys(place, entry, inner if inner in _KEYS else wild if wild in _KEYS else inner, findings)
            elif isinstance(entry, dict) and path == "entities.*" and key == "methods":
                for rpc, methods in entry.items():
                    for method in methods if isinstance(methods, list) else [methods]:
                        _check_keys(f"{place} {rpc}", method, "entities.*.methods.*", findings)
