"""Find unsupported definitions, and names in codegen.toml that do not exist."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Set
from fnmatch import fnmatchcase

from flyte_codegen.configuration.lines import Keys
from flyte_codegen.configuration.settings import Config
from flyte_codegen.configuration.toml import nearest, similar
from flyte_codegen.definitions.model import Api, Label
from flyte_codegen.diagnostics import Diagnostic, error
from flyte_codegen.kinds.filters import FILTER_KINDS
from flyte_codegen.names import snake
from flyte_codegen.python.type_names import Naming, importable

from .requests import scope


def check(api: Api, config: Config) -> list[Diagnostic]:
    """Return errors for unsupported definitions and for nonexistent names in codegen.toml.

    Names in entities are checked when the entities are linked.
    """
    rpcs = {m.full_name for s in api.services() for m in s.methods}
    fields = {f"{m.full_name}.{f.name}" for m in api.messages.values() for f in m.fields}
    found: list[Diagnostic] = []
    for prefix, package in config.extern.items():
        if not importable(package):
            message = f"[extern] names the package {package}, which is not installed here"
            remedy = "install it; the generated code imports it"
            found.append(error(config.source.at(("extern", prefix)), message, remedy))
        elif not importable(f"{package}.messages"):
            message = f"[extern] names the package {package}, which flyte-codegen did not generate"
            remedy = "use the value of [output] package in the project that generated it"
            found.append(error(config.source.at(("extern", prefix)), message, remedy))
    if not importable(config.runtime):
        message = f"[output] runtime names {config.runtime}, which is not installed here"
        found.append(error(config.source.at(("output", "runtime")), message, "install it, or remove the line"))
    for keys, what, name, known in _names(api, config, rpcs, fields):
        if name not in known:
            table = ".".join(keys[:2] if keys[0] in ("filters", "entities") else keys[:1])
            message = f"[{table}] names {name}, which is not a known {what}"
            remedy = nearest(name, known)
            if _is_pattern(name):
                message, remedy = f"[{table}] has the pattern {name}, which matches no {what}", _closest(name, known)
            found.append(error(config.source.at(keys), message, remedy))
    naming = Naming(api, config.package, config.extern)
    found += (refusal for file in api.files if file.refused and not naming.is_extern(file) for refusal in file.refused)
    return [
        *found,
        *_contradictions(config, rpcs),
        *_exclusions(config, rpcs),
        *_homonyms(config),
        *_listing(api, config),
        *_lengths(api, config),
        *scope.check(api, config),
    ]


def _listing(api: Api, config: Config) -> Iterator[Diagnostic]:
    """Find messages and fields in [listing] that do not have the shape that lists need."""
    listing = config.listing
    request = api.messages.get(listing.request) if listing else None
    if listing is None or request is None:
        return
    for key, field, of in (
        ("filters_field", listing.filters_field, listing.filter),
        ("sort_field", listing.sort_field, listing.sort),
    ):
        fits = [f.name for f in request.fields if f.type_name == of and f.label is Label.REPEATED]
        if request.field(field) and field not in fits:
            message = f"[listing] {key} is {field}, which is not a list of {of}"
            yield error(config.source.at(("listing", key)), message, nearest(field, fits))
    used = {name for entity in config.entities for method in entity.methods for name in method.filters}
    kinds = [FILTER_KINDS[config.filters[name].kind] for name in config.filters if name in used]
    functions = {function for kind in kinds for function in kind.functions}
    shapes: list[tuple[str, str, dict[str, str | Set[str]]]] = [
        ("filter", listing.filter, {"function": functions, "field": "string", "values": "string"}),
        ("sort", listing.sort, {"key": "string", "direction": {"ASCENDING", "DESCENDING"}}),
    ]
    for key, full_name, shape in shapes:
        for what in _lacking(api, full_name, shape):
            remedy = f"name the message of one {key}; its fields are {', '.join(shape)}"
            yield error(config.source.at(("listing", key)), f"[listing] {key} is {full_name}, which {what}", remedy)


def _lacking(api: Api, full_name: str, shape: Mapping[str, str | Set[str]]) -> Iterator[str]:
    """Describe the fields of a message that are missing or have the wrong type. A set lists the required members of an enum."""
    message = api.messages.get(full_name)
    for name, wanted in shape.items() if message else ():
        field = message.field(name) if message else None
        if field is None or field.py_name != name:
            yield f"has no field {name}"
        elif isinstance(wanted, str):
            if field.kind != wanted:
                yield f"has a field {name} that is not a {wanted}"
        elif field.kind != "enum":
            yield f"has a field {name} that is not an enum"
        elif missing := sorted(wanted - {member.py_name for member in api.enums[field.type_name].members}):
            yield f"has a field {name} whose enum {field.type_name} lacks {', '.join(missing)}"


def _lengths(api: Api, config: Config) -> Iterator[Diagnostic]:
    """Find length rules for fields that are not strings, and length rules that no value can meet."""
    kinds = {f"{m.full_name}.{f.name}": f.kind for m in api.messages.values() for f in m.fields}
    for name, rule in config.rules.items():
        low, high = rule.get("min_len", 0), rule.get("max_len", 0)
        if (low or high) and kinds.get(name, "string") != "string":
            message = f"[rules] {name} is not a string, so it has no length"
            yield error(
                config.source.at(("rules", name)),
                message,
                "remove the lengths; to make the field required, set required = true",
            )
        elif high and low > high:
            message = f"[rules] {name} has a min_len greater than its max_len"
            yield error(config.source.at(("rules", name)), message, "correct one of the two")


def _homonyms(config: Config) -> Iterator[Diagnostic]:
    """Find entities with the same module or the same overlay class."""
    modules = Counter(snake(entity.name) for entity in config.entities)
    for entity in config.entities:
        if modules[snake(entity.name)] > 1:
            message = f"[entities.{entity.name}] and another entity have the same module name, {snake(entity.name)}"
            yield error(config.source.at(("entities", entity.name)), message, "rename one")
    overlays = Counter(entity.overlay for entity in config.entities if entity.overlay)
    for entity in config.entities:
        if overlays[entity.overlay] > 1:
            message = f"[entities.{entity.name}] and another entity have the same overlay, {entity.overlay}"
            remedy = "give each entity its own class, derived from its generated base"
            yield error(config.source.at(("entities", entity.name, "overlay")), message, remedy)


def _exclusions(config: Config, rpcs: set[str]) -> Iterator[Diagnostic]:
    """Find exclusions without a reason, and exclusions that match no RPC or only RPCs with entity methods."""
    methods = {entity.full_name(method) for entity in config.entities for method in entity.methods}
    for pattern, reason in config.exclude.items():
        if not reason.strip():
            yield error(
                config.source.at(("exclude", pattern)),
                f"[exclude] {pattern} has no reason",
                "say why clients do not need it",
            )
        matched = {rpc for rpc in rpcs if fnmatchcase(rpc, pattern)}
        if not matched:
            what = f"the pattern {pattern}" if _is_pattern(pattern) else pattern
            message = f"[exclude] {what} matches no RPC"
            yield error(config.source.at(("exclude", pattern)), message, _closest(pattern, rpcs))
        elif matched <= methods:
            yield error(
                config.source.at(("exclude", pattern)),
                f"[exclude] {pattern} matches only RPCs that have entity methods",
                "remove the line",
            )


def _names(
    api: Api, config: Config, rpcs: set[str], fields: set[str]
) -> Iterator[tuple[Keys, str, str, Collection[str]]]:
    for rpc, effect in config.effects.items():
        yield ("effects", effect), "RPC", rpc, _matched(rpc, rpcs)
    for message, roles in config.scope.items():
        found = _matched(message, api.messages)
        yield ("scope", message), "message", message, found
        for field in roles if message in api.messages else ():
            yield ("scope", message, field), "field", f"{message}.{field}", fields
    if listing := config.listing:
        for key, message in (("request", listing.request), ("filter", listing.filter), ("sort", listing.sort)):
            yield ("listing", key), "message", message, api.messages
        for key, field in (("filters_field", listing.filters_field), ("sort_field", listing.sort_field)):
            yield ("listing", key), "field", f"{listing.request}.{field}", fields
    for name, param in config.filters.items():
        if param.enum:
            yield ("filters", name, "enum"), "enum", param.enum, api.enums
    services = {s.full_name for s in api.services()}
    for entity in config.entities:
        if entity.service:
            yield ("entities", entity.name, "service"), "service", entity.service, services
    for field in config.rules:
        yield ("rules", field), "field", field, fields


def _is_pattern(name: str) -> bool:
    """Whether a name has wildcards."""
    return any(sign in name for sign in "*?[")


def _closest(name: str, known: Collection[str]) -> str:
    """Return a remedy for a name or pattern that matches nothing: the names that are the most similar."""
    if not known:
        return "the definitions have none"
    return nearest(name, known) if not _is_pattern(name) else f"the most similar are {', '.join(similar(name, known))}"


def _matched(pattern: str, names: Collection[str]) -> Collection[str]:
    """Return the names, and the pattern if it matches one of them."""
    return [*names, pattern] if any(fnmatchcase(name, pattern) for name in names) else names


def _contradictions(config: Config, rpcs: set[str]) -> Iterator[Diagnostic]:
    """Find RPCs that patterns in [effects] give different effects."""
    for rpc in sorted(rpcs - config.effects.keys()):
        found = {effect: pattern for pattern, effect in config.effects.items() if fnmatchcase(rpc, pattern)}
        if len(found) > 1:
            message = f"[effects] gives {rpc} two effects: {' and '.join(f'{e} by {p}' for e, p in found.items())}"
            yield error(config.source.at(("effects",)), message, "list the RPC by its full name under one of them")
