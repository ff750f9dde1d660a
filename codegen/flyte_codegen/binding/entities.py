"""Link entities: turn each configured RPC into a method with parameters that fill the request."""

from __future__ import annotations

import json
from collections import Counter

import attrs

from flyte_codegen.configuration.rules import Rules
from flyte_codegen.configuration.settings import Config, EntityConfig, MethodConfig
from flyte_codegen.configuration.toml import nearest
from flyte_codegen.definitions.model import Api, Field, Label, Method, Service
from flyte_codegen.definitions.operations import OPERATION
from flyte_codegen.diagnostics import CodegenError, Diagnostic, fail, warning
from flyte_codegen.names import ENTITY_MODULE, RESERVED_IN_ENTITY, escape, snake
from flyte_codegen.python.text import literal
from flyte_codegen.python.type_names import Naming, TypeNames

from . import docstrings, identity, properties, results, summaries
from .choices import choices
from .classify import Kind, Shape, classify, single
from .model import PyEntity, PyMethod
from .paging import field_at
from .parameters import Scope, Signature, signature
from .properties import PyProperty
from .requests import RequestBuilder, Subject

# The kinds of method that each setting applies to.
_SETTINGS = {
    "final": (Kind.WATCH,),
    "each": (Kind.WATCH,),
    "fetch": (Kind.WATCH,),
    "made_by": (Kind.WATCH,),
    "bounded_by": (Kind.WATCH,),
    "missing_ok": (Kind.CALL,),
    "returns": (Kind.LIST, Kind.GET, Kind.CREATE, Kind.WATCH, Kind.CALL),
    "raw": (Kind.LIST, Kind.WATCH),
    "carry": (Kind.LIST,),
}


def modules(api: Api, naming: Naming, config: Config, rules: Rules, findings: list[Diagnostic]) -> list[PyEntity]:
    """Return the entity modules, one per `[entities.NAME]`. Errors of all entities are collected."""
    made: list[PyEntity] = []
    for entity in config.entities:
        try:
            made.append(link(api, naming, config, rules, entity, findings))
        except CodegenError as cause:
            findings += cause.diagnostics
    return made


def link(
    api: Api, naming: Naming, config: Config, rules: Rules, entity: EntityConfig, findings: list[Diagnostic]
) -> PyEntity:
    """One entity, linked."""
    return _Linker(api, naming, config, rules, entity, findings).link()


def class_path(config: Config, entity: EntityConfig) -> str:
    """Return the path of an entity's public class, `module:Class`."""
    return entity.overlay or f"{config.package}.entities.{snake(entity.name)}:{entity.name}Base"


def exports(config: Config) -> list[tuple[str, str]]:
    """Map each entity's name to the path of its public class."""
    return [(entity.name, class_path(config, entity)) for entity in config.entities]


class _Linker:
    """Links one entity."""

    def __init__(
        self, api: Api, naming: Naming, config: Config, rules: Rules, entity: EntityConfig, findings: list[Diagnostic]
    ) -> None:
        self.api, self.naming, self.config, self.rules, self.entity = api, naming, config, rules, entity
        self.findings = findings
        self.choices = choices(api, config)
        overlays = {class_path(config, e).partition(":")[2] for e in config.entities}
        taken = (
            ENTITY_MODULE
            | overlays
            | config.sort_keys.keys()
            | {choice.name for choice in self.choices}
            | {f"{entity.name}Base", summaries.name(entity.name)}
            | {s.py_name for s in api.services()}
        )
        self.types = TypeNames(naming, taken)
        self.overlays: set[str] = set()
        if entity.message not in api.messages:
            raise self._fail(f"no message named {entity.message}", nearest(entity.message, api.messages))
        self.message = api.messages[entity.message]

    def _fail(self, what: str, remedy: str, method: str = "") -> CodegenError:
        table = self._table(method)
        return fail(self.config.source.at_table(table), f"[{table}] {what}", remedy)

    def _table(self, method: str = "") -> str:
        name = method if method.isidentifier() else json.dumps(method)
        return f"entities.{self.entity.name}" + (f".methods.{name}" if method else "")

    def link(self) -> PyEntity:
        entity = self.entity
        made = tuple(self._property(name, path) for name, path in entity.properties.items())
        methods = tuple(self._method(m) for m in entity.methods)
        named = (name for m in methods for name in (m.name, m.each, m.fetch, m.made_by) if name)
        self._check_names([p.name for p in made], [*self._finals(), *named])
        return PyEntity(
            path=snake(entity.name),
            name=entity.name,
            message=self.types.name(entity.message),
            doc=entity.doc or self.message.doc or f"`{entity.message}`.",
            source=self.api.file_of[entity.message].name,
            properties=made,
            identity=self._identity(),
            summary=self._summary(),
            finals=self._finals(),
            methods=methods,
            imports=tuple(sorted({*self.types.lines, *self._sort_keys()})),
            type_imports=tuple(sorted(self.overlays | self.types.typing_lines)),
        )

    def _check_names(self, properties: list[str], methods: list[str]) -> None:
        counts = Counter([*properties, *methods])
        for name in counts:
            if counts[name] > 1:
                raise self._fail(f"two of its methods and properties are named {name}", "rename one")
            if name in RESERVED_IN_ENTITY or name.startswith("__"):
                raise self._fail(f"{name} is reserved by Python or by the entity base class", "choose another name")

    def _property(self, name: str, path: str) -> PyProperty:
        field = self._field(path, "properties", name)
        if field.deprecated:
            what = f"{self.entity.name}.{name} reads this deprecated field"
            self.findings.append(warning(field.place, what, f"see [{self._table()}.properties]"))
        return properties.lay_out(name, path, field, self.types)

    def _field(self, path: str, *key: str) -> Field:
        field = field_at(self.api, self.message, path)
        if field is None:
            table, name = ".".join([self._table(), *key[:-1]]), key[-1] if key else "identity"
            what = f"[{table}] {name}: {self.entity.message} has no field at {path!r}"
            known = [f.name for f in self.message.fields]
            remedy = f"correct the path; {nearest(path.partition('.')[0], known)}"
            raise fail(self.config.source.at_table(table, name), what, remedy)
        return field

    def _sort_keys(self) -> set[str]:
        """Return the import lines for the sort-key types of list methods."""
        names = {m.sort_keys for m in self.entity.methods if m.sort_keys}
        return {f"from {self.config.package}.sorting import {name}" for name in names}

    def _finals(self) -> tuple[str, ...]:
        watches = (m for e in self.config.entities for m in e.methods if (m.returns or e.name) == self.entity.name)
        return tuple(sorted({m.final for m in watches if m.final}))

    def _identity(self) -> identity.Identity:
        path = self.entity.identity
        field = self._field(path)
        if field.label in (Label.REPEATED, Label.MAP):
            raise self._fail(f"identity names {path}, which is a repeated field", "name a singular field")
        label = next((name for name, read in self.entity.properties.items() if read == path), "id")
        return identity.lay_out(self.api, self.config, path, field, label)

    def _summary(self) -> summaries.Summary | None:
        details = self.entity.summary_of
        if not details:
            return None
        if details not in self.api.messages:
            raise self._fail(f"summary_of names {details}, which is not a message", nearest(details, self.api.messages))
        name = summaries.name(self.entity.name)
        summary = summaries.lay_out(self.api, name, self.message, self.api.messages[details], self.types)
        if not summary.copied:
            what = f"summary_of names {details}, which shares no field with {self.entity.message}"
            raise self._fail(what, "name the details message of the same resource, or remove summary_of")
        if any(param in ("details", name) for param, _ in summary.params):
            raise self._fail("summary_of does not work with a field named details", "remove summary_of")
        return summary

    def _rpc(self, method: MethodConfig) -> tuple[Service, Method]:
        name = self.entity.full_name(method)
        every = {m.full_name: (s, m) for s in self.api.services() for m in s.methods}
        if name not in every:
            raise self._fail(f"no RPC named {name}", nearest(name, every), method.table)
        return every[name]

    def _method(self, config: MethodConfig) -> PyMethod:
        service, rpc = self._rpc(config)
        shape = self._shape(config, rpc)
        table = self._table(config.table)
        target = self._target(config)
        name = field_at(self.api, self.api.messages[target.message], target.identity)
        # The request builder uses protobuf names; the identity is a path of Python names.
        steps = target.identity.split(".")[:-1]
        named = (name.type_name or ".".join([*steps, name.name])) if name else target.identity
        builder = RequestBuilder(
            self.api,
            self.config,
            self.rules,
            self.types,
            config,
            shape,
            self._subject(config, rpc, shape),
            named,
            name.label if name else Label.IMPLICIT,
            table,
        )
        request = builder.build(rpc.request)
        local = self.types.service(service)
        on_class, scope = not builder.uses_identity, Scope(frozenset(builder.roles))
        if on_class and config.on == "instance":
            raise self._fail(
                f'on = "instance", but {rpc.request} has no field that identifies the entity', "remove on", config.table
            )
        made = signature(
            shape.kind,
            builder.params,
            on_class=on_class,
            pages=bool(shape.token),
            scope=scope,
            taken=self.types.taken,
            positional=config.positional,
            table=table,
            source=self.config.source,
        )
        returns, entity = self._returns(rpc, shape, config, on_class)
        deprecated = rpc.deprecated or service.deprecated
        container = results.CONTAINERS.get(shape.kind)
        return PyMethod(
            name=config.name or escape(results.default_name(rpc, shape.kind), RESERVED_IN_ENTITY),
            decorator=results.decorator(shape.kind, returns),
            rpc=f"{local}.{rpc.constant}",
            deprecated=deprecated,
            full_name=rpc.full_name,
            signature=made,
            scope=scope,
            caller="registry.resolve(client)" if on_class else "self.client",
            request=request,
            returns=returns,
            wrapped=f"{container}[{returns}]" if container else returns,
            entity=entity,
            shape=shape,
            several=bool(shape.items) and self._is_repeated(rpc, shape.items),
            keep=builder.keep,
            carry=tuple(f.py_name for f in self.api.messages[rpc.request].fields if f.name in config.carry),
            final=config.final,
            each=config.each,
            fetch=config.fetch,
            made_by=config.made_by,
            item=results.answer(self.api, self.types, rpc, shape, config) if config.made_by else "",
            bounded_by=self._bound(config, made),
            missing_ok=config.missing_ok,
            doc=docstrings.method(
                rpc, config, made, shape.kind, returns, made_entity=bool(entity), deprecated=deprecated
            ),
            source=config,
        )

    def _bound(self, config: MethodConfig, made: Signature) -> str:
        names = [param.name for param in made.params]
        if config.bounded_by and config.bounded_by not in names:
            what = f"bounded_by names {config.bounded_by}, which is not a parameter"
            raise self._fail(what, nearest(config.bounded_by, names), config.table)
        return config.bounded_by

    def _subject(self, config: MethodConfig, rpc: Method, shape: Shape) -> Subject:
        """Return the subject of an instance method: one that acts on or watches an existing resource."""
        acts = shape.kind in (Kind.CALL, Kind.WATCH, Kind.STREAM) and not rpc.name.startswith("Create")
        if config.on == "class" or not (acts or config.on == "instance"):
            return Subject()
        field = self._field(self.entity.identity)
        if field.type_name:
            return Subject(type_name=field.type_name)
        last = field.name
        return Subject(kind=field.kind, names=(last, f"{snake(self.entity.name)}_{last}"), label=field.label)

    def _shape(self, config: MethodConfig, rpc: Method) -> Shape:
        """Classify a method, and check its settings in codegen.toml and the entity's message."""
        table, made_of = self._table(config.table), self._target(config).message
        shape = classify(
            self.api,
            rpc,
            kind=config.kind,
            items=config.items,
            table=table,
            made_of=made_of,
            watches=config.watches,
            pages=config.pages,
            settled=config.settled,
        )
        if shape.kind is Kind.CALL and config.returns and not shape.items:
            shape = attrs.evolve(shape, items=single(self.api.messages[rpc.response], made_of))
        if (config.raw or config.made_by) and shape.kind is Kind.WATCH:
            shape = attrs.evolve(shape, items=config.items)
        if shape.kind is Kind.UNSUPPORTED:
            raise self._fail(f"{rpc.full_name} can't be a method: {shape.why}", "remove the table", config.table)
        for setting, kinds in _SETTINGS.items():
            if getattr(config, setting) and shape.kind not in kinds:
                said = " and ".join(kind.value for kind in kinds)
                raise self._fail(
                    f"{setting} applies only to {said} methods, and this is a {shape.kind.value} method",
                    f"remove {setting}",
                    config.table,
                )
        if rpc.deprecated:
            self.findings.append(
                warning(rpc.place, f"{rpc.full_name} is deprecated", f"see [{self._table(config.table)}]")
            )
        for name in config.carry:
            if not all(self.api.messages[side].field(name) for side in (rpc.request, rpc.response)):
                what = f"carry names {name}, but {rpc.request} and {rpc.response} do not both have that field"
                raise self._fail(what, f"remove {name}", config.table)
        if results.makes_entity(shape, config) and not config.made_by:
            self._check_items(config, rpc, shape)
        return shape

    def _is_repeated(self, rpc: Method, items: str) -> bool:
        field = field_at(self.api, self.api.messages[rpc.response], items)
        return field is not None and field.label is Label.REPEATED

    def _check_items(self, config: MethodConfig, rpc: Method, shape: Shape) -> None:
        """Refuse a reply that does not hold the entity's message."""
        target = self._target(config)
        found, where = rpc.response, "the reply"
        if shape.items:
            field = field_at(self.api, self.api.messages[rpc.response], shape.items)
            assert field is not None  # classify raises for a nonexistent path
            repeated = field.label is Label.REPEATED
            found, where = field.type_name or field.kind, f"{rpc.response}.{shape.items}"
            if repeated != (shape.kind is Kind.LIST) and shape.kind is not Kind.WATCH:
                found = f"repeated {found}" if repeated else f"a single {found}"
        if found != target.message:
            remedy = f'add items = "PATH" with the path of the {target.message} in the reply'
            if found == OPERATION:
                remedy = (
                    'add kind = "call" to return the operation; the resource exists once the operation has finished'
                )
            raise self._fail(f"{where} is {found}, but {target.name} is made of {target.message}", remedy, config.table)

    def _target(self, config: MethodConfig) -> EntityConfig:
        """The entity that a method returns."""
        if not config.returns:
            return self.entity
        every = {e.name: e for e in self.config.entities}
        if config.returns not in every:
            raise self._fail(f"no entity named {config.returns}", nearest(config.returns, every), config.table)
        return every[config.returns]

    def _returns(self, rpc: Method, shape: Shape, config: MethodConfig, on_class: bool) -> tuple[str, str]:
        """Return the annotation of one result or item, and the expression for its class ("" if not an entity)."""
        if not results.makes_entity(shape, config):
            return results.answer(self.api, self.types, rpc, shape, config), ""
        if config.returns in ("", self.entity.name) and on_class and shape.kind is not Kind.WATCH:
            return "Self", "cls"
        path = class_path(self.config, self._target(config))
        module, _, name = path.partition(":")
        own = "cls" if on_class else "type(self)"
        if name != f"{self.entity.name}Base":
            # Type checkers lose Self in streamed results, so the annotation names the public class.
            own = f'cast("type[{name}]", {own})'
            self.overlays.add(f"from {module} import {name}")
        if config.made_by:
            return name, f"{'cls' if on_class else 'self'}.{config.made_by}"
        if config.returns in ("", self.entity.name):
            return name, own
        found = f"resolve({literal(path)})"
        return name, found if shape.kind in results.CONTAINERS else f'cast("type[{name}]", {found})'
