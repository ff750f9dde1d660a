"""`flyte-codegen explain`: show what the generator makes of an RPC, a method, a property or a message, and why."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator

import attrs

from flyte_codegen.binding import references, results
from flyte_codegen.binding.entities import link
from flyte_codegen.binding.methods import table_of
from flyte_codegen.binding.model import PyEntity, PyMethod
from flyte_codegen.binding.shapes.classify import Case, Shape, classify
from flyte_codegen.configuration.rules import read_rules
from flyte_codegen.configuration.settings import Config
from flyte_codegen.configuration.tables import EntityConfig, MethodConfig
from flyte_codegen.definitions.field_paths import find
from flyte_codegen.definitions.model import Api, Enum, Message, Method, Service
from flyte_codegen.diagnostics import CodegenError, Diagnostic, Level, fail, raise_errors
from flyte_codegen.kinds.methods import CALL, METHOD_KINDS, MethodKind
from flyte_codegen.output.render import template_place
from flyte_codegen.pipeline import read_api
from flyte_codegen.python.services import effect
from flyte_codegen.python.type_names import Naming

from .lines import name_at
from .report import reason

_SHOWN = 3
_LIKE = 0.6
_STREAMING = {
    (False, False): "none",
    (False, True): "replies",
    (True, False): "requests",
    (True, True): "requests and replies",
}
"""The messages that are streamed, by whether the client and the server stream."""


def explain(config: Config, name: str) -> str:
    """Describe the code that is generated for `name`.

    Args:
        config: The configuration.
        name: The full name of an RPC, a service, a message or an enum, or the end of it, such as `RunService.ListRuns`; a
            method or property of an entity, such as `Run.listall`; or a line, `FILE:LINE`, of a generated file, of
            codegen.toml or of a definition.

    Raises:
        CodegenError: `name` matches nothing, or several things.
    """
    api = read_api(config)
    raise_errors(references.check(api, config))
    explainer = _Explainer(api, config)
    found = name_at(api, config, name)
    return explainer.member(found) or explainer.definition(found)


def _nearest(name: str, known: Collection[str]) -> list[str]:
    """Return full names that contain `name` or end in something similar, closest first."""

    def likeness(full_name: str) -> float:
        end = ".".join(full_name.split(".")[-(name.count(".") + 1) :]).lower()
        return difflib.SequenceMatcher(None, name.lower(), end).ratio() + (name.lower() in end)

    scored = sorted((-likeness(full_name), full_name) for full_name in known)
    return [full_name for score, full_name in scored[:_SHOWN] if -score >= _LIKE]


@attrs.frozen
class _Use:
    """A method of an entity that calls an RPC. `method` is None if it can't be linked, for the reasons in `findings`."""

    entity: EntityConfig
    config: MethodConfig
    method: PyMethod | None
    findings: tuple[Diagnostic, ...]


class _Explainer:
    """Describes the code that one configuration generates."""

    def __init__(self, api: Api, config: Config) -> None:
        self._api, self._config = api, config
        self._naming = Naming(api, config.package, config.extern)

    def member(self, name: str) -> str:
        """Describe a method or a property of an entity, named `Entity.member`; "" if there is none."""
        owner, _, member = name.rpartition(".")
        for entity in self._config.entities:
            if entity.name != owner:
                continue
            if member in entity.properties:
                return self._property(entity, member)
            rpcs = {m.full_name: (s, m) for s in self._api.services() for m in s.methods}
            for use in sorted(self._uses(entity), key=lambda use: use.method is None):
                full_name = entity.full_name(use.config)
                if full_name in rpcs and member in self._names(use, rpcs[full_name][1]):
                    return self._rpc(*rpcs[full_name], [use])
        return ""

    def _names(self, use: _Use, rpc: Method) -> tuple[str, ...]:
        """Return the name of a method, or the names that a method with an error may have."""
        if use.method or use.config.name:
            return (use.method.name if use.method else use.config.name,)
        return (rpc.py_name, *(results.default_name(rpc, kind) for kind in METHOD_KINDS.values() if _may_be(kind, rpc)))

    def definition(self, name: str) -> str:
        """Describe an RPC, a service, a message or an enum.

        Raises:
            CodegenError: `name` matches nothing, or several things.
        """
        methods = {m.full_name: (s, m) for s in self._api.services() for m in s.methods}
        services = {service.full_name: service for service in self._api.services()}
        known = [*methods, *self._api.messages, *self._api.enums, *services]
        found = [n for n in known if n == name or n.endswith(f".{name}")]
        if len(found) != 1:
            near = found or _nearest(name, known)
            what = "matches several names" if found else "matches no RPC, service, message, enum or member of an entity"
            raise fail(name, what, f"try {', '.join(near)}" if near else "flyte-codegen report lists all RPCs")
        if found[0] in methods:
            service, method = methods[found[0]]
            uses = [use for e in self._config.entities for use in self._uses(e, method.full_name)]
            return self._rpc(service, method, uses)
        if found[0] in services:
            return self._service(services[found[0]])
        if found[0] in self._api.enums:
            return self._enum(self._api.enums[found[0]])
        return self._message(self._api.messages[found[0]])

    def _uses(self, entity: EntityConfig, rpc: str = "") -> Iterator[_Use]:
        """Yield the methods of an entity, all or those that call one RPC."""
        wanted = [m for m in entity.methods if not rpc or entity.full_name(m) == rpc]
        if not wanted:
            return
        findings: list[Diagnostic] = []
        made: PyEntity | None = link(self._api, self._naming, self._config, read_rules(self._config), entity, findings)
        linked = {m.config.table: m for m in made.methods} if made else {}
        for config in wanted:
            yield _Use(entity, config, linked.get(config.table), tuple(findings))

    def _rpc(self, service: Service, method: Method, uses: list[_Use]) -> str:
        lines = [
            f"{method.full_name}  ({method.place})",
            f"  request    {method.request}",
            f"  response   {method.response}",
            f"  streaming  {_STREAMING[method.client_streaming, method.server_streaming]}",
            f"  effect     {effect(method, self._config).lower()}",
            *([f"  operation  long-running: {method.operation}"] if method.operation else []),
        ]
        for use in uses:
            table = table_of(use.entity, use.config.table)
            lines += self._use(use, self._config.source.at_table(table), table)
        if not uses:
            lines += self._unused(service, method)
        return "\n".join(lines)

    def _use(self, use: _Use, place: str, table: str) -> list[str]:
        made = use.method
        if made is None:
            errors = [f for f in use.findings if f.level is Level.ERROR]
            own = [f for f in errors if table in f"{f.message} {f.remedy}"] or errors
            lines = [_undecided(f) if f in self._of_kind(use, table) else _mistake(f) for f in own[:1]]
            return [*lines, f"  table      {place}: [{table}]"]
        template = template_place(self._config, f"entities/kinds/_{made.template}.j2")
        return [
            *_shape(made.shape),
            f"  method     {use.entity.name}.{made.name}({made.signature}) -> {made.returns}",
            f"  table      {place}: [{table}]",
            f"  template   {template}",
        ]

    def _of_kind(self, use: _Use, table: str) -> tuple[Diagnostic, ...]:
        """Return the errors of a method that leave its kind open."""
        rpcs = {m.full_name: m for s in self._api.services() for m in s.methods}
        targets = {entity.name: entity.message for entity in self._config.entities}
        made_of = targets.get(use.config.returns or use.entity.name, "")
        rpc, where = rpcs[use.entity.full_name(use.config)], self._config.source.at_table(table)
        try:
            classify(Case(self._api, rpc, use.config, table, made_of, where))
        except CodegenError as cause:
            return cause.diagnostics
        return ()

    def _unused(self, service: Service, method: Method) -> list[str]:
        """Describe the method that an RPC could have, and say why it has none."""
        case = Case(self._api, method, MethodConfig(rpc=method.full_name), f"entities.NAME.methods.{method.name}")
        try:
            lines = _shape(classify(case))
        except CodegenError as cause:
            lines = [_undecided(cause.diagnostics[0])]
        why = reason(self._config, service, method)
        return [*lines, f"  method     none: {f'excluded: {why}' if why else 'no entity in codegen.toml names it'}"]

    def _property(self, entity: EntityConfig, name: str) -> str:
        path = entity.properties[name]
        found = find(self._api, self._api.messages.get(entity.message), path)
        if found is None:
            raise fail(f"{entity.name}.{name}", f"{entity.message} has no field at {path!r}", "correct the path")
        table = f"{table_of(entity)}.properties"
        lines = [
            f"{entity.name}.{name}  ({found.last.place})",
            f"  message    {entity.message}",
            f"  path       {found}",
            f"  table      {self._config.source.at_table(table, name)}: [{table}]",
            f"  template   {template_place(self._config, 'entities/_property.j2')}",
        ]
        return "\n".join(lines)

    def _service(self, service: Service) -> str:
        lines = [f"{service.full_name}  ({service.place})"]
        lines += [f"  rpc        {method.name}: {method.request} -> {method.response}" for method in service.methods]
        return "\n".join(lines)

    def _enum(self, enum: Enum) -> str:
        lines = [f"{enum.full_name}  ({enum.place})", f"  class      {self._naming.path(enum.full_name)}"]
        for member in enum.members:
            note = " (deprecated)" if member.deprecated else ""
            lines.append(f"  {member.number:>4}  {member.py_name}: {member.name}{note}")
        return "\n".join(lines)

    def _message(self, message: Message) -> str:
        path = self._naming.path(message.full_name)
        lines = [f"{message.full_name}  ({message.place})", f"  class      {path}"]
        if path.startswith(f"{self._config.package}."):
            lines.append(f"  template   {template_place(self._config, 'messages/_message.j2')}")
        for field in message.fields:
            kind = field.type_name or field.kind
            notes = [field.label.value, *([f"oneof {field.oneof}"] if field.oneof else [])]
            notes += ["deprecated"] if field.deprecated else []
            lines.append(f"  {field.number:>4}  {field.py_name}: {kind} ({', '.join(notes)})")
        return "\n".join(lines)


def _shape(shape: Shape) -> list[str]:
    pages = shape.pages
    paths = {
        "items": str(shape.items),
        "token": str(pages.next) if pages else "",
        "page": str(pages.holder) if pages else "",
    }
    kind = f"  kind       {shape.kind.name}: {shape.why}"
    return [kind, *(f"  {label:<10} {path}" for label, path in paths.items() if path)]


def _may_be(kind: MethodKind, rpc: Method) -> bool:
    """Whether an RPC whose kind is open may be of a kind, by its name."""
    return kind is CALL or rpc.name.lower().startswith(kind.name)


def _mistake(finding: Diagnostic) -> str:
    return f"  error      {finding.message}" + (f"; {finding.remedy}" if finding.remedy else "")


def _undecided(finding: Diagnostic) -> str:
    return f"  kind       undecided: {finding.message}; {finding.remedy}"
