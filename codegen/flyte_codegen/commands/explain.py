"""`flyte-codegen explain`: how an RPC or a message is generated, and why."""

from __future__ import annotations

import difflib
from collections.abc import Collection

from flyte_codegen.binding import references
from flyte_codegen.binding.classify import classify
from flyte_codegen.binding.entities import link
from flyte_codegen.configuration.paths import resolved
from flyte_codegen.configuration.rules import read_rules
from flyte_codegen.configuration.settings import Config, MethodConfig
from flyte_codegen.definitions.model import Api, Message, Method, Service
from flyte_codegen.diagnostics import CodegenError, fail, raise_errors
from flyte_codegen.pipeline import read_api
from flyte_codegen.python.services import cardinality, effect
from flyte_codegen.python.type_names import Naming

from .report import reason

_SHOWN = 3
_LIKE = 0.6


def explain(config: Config, name: str) -> str:
    """Describe how `name` is generated.

    Args:
        config: The configuration.
        name: The full name of an RPC or a message, or the end of it, such as `RunService.ListRuns`.

    Raises:
        CodegenError: `name` matches nothing, or several things.
    """
    api = read_api(config)
    raise_errors(references.check(api, config))
    config = resolved(api, config)
    methods = {m.full_name: (s, m) for s in api.services() for m in s.methods}
    known = [*methods, *api.messages]
    found = [n for n in known if n == name or n.endswith(f".{name}")]
    if len(found) != 1:
        near = found or _nearest(name, known)
        what = "matches several names" if found else "matches no RPC or message"
        raise fail(name, what, f"try {', '.join(near)}" if near else "flyte-codegen report lists all RPCs")
    if found[0] in methods:
        return _method(api, config, *methods[found[0]])
    return _message(api, config, api.messages[found[0]])


def _nearest(name: str, known: Collection[str]) -> list[str]:
    """Return full names that contain `name` or end in something similar, closest first."""

    def likeness(full_name: str) -> float:
        end = ".".join(full_name.split(".")[-(name.count(".") + 1) :]).lower()
        return difflib.SequenceMatcher(None, name.lower(), end).ratio() + (name.lower() in end)

    scored = sorted((-likeness(full_name), full_name) for full_name in known)
    return [full_name for score, full_name in scored[:_SHOWN] if -score >= _LIKE]


def _method(api: Api, config: Config, service: Service, method: Method) -> str:
    uses = [(e, m) for e in config.entities for m in e.methods if e.full_name(m) == method.full_name]
    chosen = uses[0][1] if uses else MethodConfig(rpc=method.full_name)
    table = f"entities.{uses[0][0].name if uses else 'NAME'}.methods.{chosen.table if uses else method.name}"
    made_of = next((e.message for e in config.entities if uses and e.name == (chosen.returns or uses[0][0].name)), "")
    try:
        shape = classify(
            api,
            method,
            kind=chosen.kind,
            items=chosen.items,
            table=table,
            made_of=made_of,
            watches=chosen.watches,
            pages=chosen.pages,
            settled=chosen.settled,
        )
        kind = f"{shape.kind.value}: {shape.why}"
        paths = {"items": shape.items, "token": shape.token, "page": shape.page}
    except CodegenError as cause:
        finding = cause.diagnostics[0]
        kind, paths = f"undecided: {finding.message}; {finding.remedy}", {}
    lines = [
        f"{method.full_name}  ({method.place})",
        f"  request    {method.request}",
        f"  response   {method.response}",
        f"  streams    {cardinality(method).lower()}",
        f"  effect     {effect(method, config).lower()}",
        f"  kind       {kind}",
        *([f"  operation  long-running: {method.operation}"] if method.operation else []),
        *(f"  {label:<10} {path}" for label, path in paths.items() if path),
    ]
    for entity, use in uses:
        naming = Naming(api, config.package, config.extern)
        linked = next(m for m in link(api, naming, config, read_rules(config), entity, []).methods if m.source == use)
        lines.append(f"  method     {entity.name}.{linked.name}({linked.signature}) -> {linked.wrapped}")
    if not uses:
        why = reason(config, service, method)
        lines.append(f"  method     none: {f'excluded: {why}' if why else 'no entity in codegen.toml names it'}")
    return "\n".join(lines)


def _message(api: Api, config: Config, message: Message) -> str:
    naming = Naming(api, config.package, config.extern)
    lines = [f"{message.full_name}  ({message.place})", f"  class      {naming.path(message.full_name)}"]
    for field in message.fields:
        kind = field.type_name or field.kind
        notes = [field.label.value, *([f"oneof {field.oneof}"] if field.oneof else [])]
        notes += ["deprecated"] if field.deprecated else []
        lines.append(f"  {field.number:>4}  {field.py_name}: {kind} ({', '.join(notes)})")
    return "\n".join(lines)
