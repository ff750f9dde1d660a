"""Link one method of an entity: its RPC, its kind, its parameters and its result."""

from __future__ import annotations

import json
from collections.abc import Mapping

import attrs

from flyte_codegen.configuration.rules import Rules
from flyte_codegen.configuration.settings import Config
from flyte_codegen.configuration.tables import EntityConfig, MethodConfig
from flyte_codegen.configuration.toml import nearest
from flyte_codegen.definitions.field_paths import FieldPath, find
from flyte_codegen.definitions.model import Api, Field, Label, Method, Service
from flyte_codegen.definitions.operations import OPERATION
from flyte_codegen.diagnostics import CodegenError, Diagnostic, fail, warning
from flyte_codegen.kinds.code import Attribute, Code, Literal, Name, Union, call
from flyte_codegen.names import RESERVED_IN_ENTITY, escape, snake

from . import docstrings, results
from .annotations import Types
from .model import Hook, PyMethod
from .requests.build import Plan, Subject, build
from .requests.listings import items_of
from .requests.parameters import signature
from .requests.scope import roles_of_entity, scope_of
from .results import SELF, Made
from .shapes.classify import Case, Shape, check_settings, classify


def class_path(config: Config, entity: EntityConfig) -> str:
    """Return the path of an entity's public class, `module:Class`."""
    return entity.overlay or f"{config.package}.entities.{snake(entity.name)}:{entity.name}Base"


def table_of(entity: EntityConfig, method: str = "") -> str:
    """Return the table of an entity or of one of its methods in codegen.toml."""
    name = method if method.isidentifier() else json.dumps(method)
    return f"entities.{entity.name}" + (f".methods.{name}" if method else "")


@attrs.frozen(kw_only=True)
class MethodLinker:
    """Links the methods of one entity.

    Attributes:
        entity: The entity.
        identity: The path of its identity in its message.
        scope: The roles of fields by message.
        types: The names of types in the entity's module.
        findings: Collects warnings.
    """

    api: Api
    config: Config
    rules: Rules
    entity: EntityConfig
    identity: FieldPath
    scope: Mapping[str, Mapping[str, str]]
    types: Types
    findings: list[Diagnostic]

    def link(self, config: MethodConfig) -> PyMethod:
        """Return the method of a table.

        Raises:
            CodegenError: The table does not fit the RPC, or the RPC does not fit an entity.
        """
        if config.missing_ok and config.returns:
            what = f"missing_ok makes the method return a bool, but returns names {config.returns}"
            raise self._fail(what, "remove missing_ok or returns", config)
        service, rpc = self._rpc(config)
        target, table = self._target(config), table_of(self.entity, config.table)
        shape = self._shape(config, rpc, target, table)
        plan = Plan(
            api=self.api,
            config=self.config,
            rules=self.rules,
            scope=self.scope,
            types=self.types,
            method=config,
            shape=shape,
            subject=self._subject(config, shape),
            own=roles_of_entity(self.api, self.scope, self.entity.message, self.identity),
            items=items_of(self.api, target, config, shape.items.last.type_name if shape.items else rpc.response),
            identity=find(self.api, self.api.messages.get(target.message), target.identity),
            table=table,
        )
        self._check_hooks(config)
        ref = Attribute(self.types.service(service), rpc.constant)
        request = build(plan, rpc.request)
        on_class, scope = not request.uses_identity, scope_of(self.config, request.roles)
        if on_class and config.on == "instance":
            what = f'on = "instance", but {rpc.request} has no field that identifies the entity'
            raise self._fail(what, "remove on", config)
        if on_class and config.fetch:
            what = f"fetch reads the current state of an instance, but {rpc.request} does not identify one"
            raise self._fail(what, "remove fetch", config)
        made_signature = signature(
            shape,
            request.params,
            scope,
            on_class=on_class,
            taken=self.types.taken,
            positional=config.positional,
            table=table,
            source=self.config.source,
        )
        made = self._made(shape, config, target, on_class=on_class) if results.makes_entity(shape, config) else None
        result = results.result(self.api, self.types, rpc, shape, config, made, ref)
        deprecated = rpc.deprecated or service.deprecated
        names = [param.name for param in made_signature.params]
        if config.bounded_by and config.bounded_by not in names:
            what = f"bounded_by names {config.bounded_by}, which is not a parameter"
            raise self._fail(what, nearest(config.bounded_by, names), config)
        return PyMethod(
            name=config.name or escape(results.default_name(rpc, shape.kind), RESERVED_IN_ENTITY),
            full_name=rpc.full_name,
            shape=shape,
            template="attempt" if config.missing_ok else shape.kind.template,
            decorator=results.decorator(shape.kind, result.one),
            rpc=ref,
            deprecated=deprecated,
            signature=made_signature,
            scope=scope.lookup if scope.names else None,
            caller=call("registry.resolve", Name("client")) if on_class else Name("self.client"),
            request=request.expression,
            result=result,
            keep=_all(request.keep),
            fetch=Hook(config.fetch, None, Union((result.one, Name("None")))) if config.fetch else None,
            made_by=self._made_by(rpc, shape, config, result.one) if config.made_by else None,
            config=config,
            doc=docstrings.method(rpc, config, made_signature, shape, result, deprecated=deprecated),
        )

    def _fail(self, what: str, remedy: str, method: MethodConfig) -> CodegenError:
        table = table_of(self.entity, method.table)
        return fail(self.config.source.at_table(table), f"[{table}] {what}", remedy)

    def _check_hooks(self, method: MethodConfig) -> None:
        """Refuse settings that name a method of an overlay where no overlay can have it."""
        for name in ("final", "made_by"):
            if method.raw and getattr(method, name):
                what = f"{name} names a method of an entity, but raw = true yields messages"
                raise self._fail(what, f"remove {name} or raw", method)
        for name in ("fetch", "made_by"):
            if getattr(method, name) and not self.entity.overlay:
                what = f"{name} names a method of the overlay, and {self.entity.name} has none"
                line = f'overlay = "package.module:{self.entity.name}"'
                raise self._fail(what, f"under [{table_of(self.entity)}], add {line}, the class that has it", method)

    def _rpc(self, method: MethodConfig) -> tuple[Service, Method]:
        name = self.entity.full_name(method)
        every = {m.full_name: (s, m) for s in self.api.services() for m in s.methods}
        if name not in every:
            raise self._fail(f"no RPC named {name}", nearest(name, every), method)
        return every[name]

    def _target(self, method: MethodConfig) -> EntityConfig:
        """The entity that a method returns."""
        if not method.returns:
            return self.entity
        every = {e.name: e for e in self.config.entities}
        if method.returns not in every:
            raise self._fail(f"no entity named {method.returns}", nearest(method.returns, every), method)
        return every[method.returns]

    def _subject(self, method: MethodConfig, shape: Shape) -> Subject:
        """Return the subject of an instance method: one that acts on or watches an existing resource."""
        acts = shape.kind.of_instances and not shape.creates
        if method.on == "class" or not (acts or method.on == "instance"):
            return Subject()
        field: Field = self.identity.last
        names = (field.name, f"{snake(self.entity.name)}_{field.name}")
        if field.type_name:
            return Subject(type_name=field.type_name, names=names)
        return Subject(kind=field.kind, names=names, label=field.label)

    def _shape(self, method: MethodConfig, rpc: Method, target: EntityConfig, table: str) -> Shape:
        """Classify a method, and check its settings in codegen.toml and the entity's message."""
        where = self.config.source.at_table(table)
        shape = classify(Case(self.api, rpc, method, table, target.message, where))
        if wrong := check_settings(shape, method):
            raise self._fail(*wrong, method)
        if rpc.deprecated:
            self.findings.append(warning(rpc.place, f"{rpc.full_name} is deprecated", f"see [{table}]"))
        if results.makes_entity(shape, method) and not method.made_by:
            self._check_items(method, rpc, shape, target)
        return shape

    def _check_items(self, method: MethodConfig, rpc: Method, shape: Shape, target: EntityConfig) -> None:
        """Refuse a reply that does not contain the entity's message."""
        found, where = rpc.response, "the reply"
        if shape.items:
            field = shape.items.last
            repeated = field.label is Label.REPEATED
            found, where = field.type_name or field.kind, f"{rpc.response}.{shape.items}"
            several = bool(shape.kind.container)
            if repeated != several and not shape.kind.streams:
                found = f"repeated {found}" if repeated else f"a single {found}"
        if found != target.message:
            remedy = f'add items = "PATH" with the path of the {target.message} in the reply'
            if found == OPERATION:
                remedy = (
                    'add kind = "call" to return the operation; the resource exists once the operation has finished'
                )
            raise self._fail(f"{where} is {found}, but {target.name} is made of {target.message}", remedy, method)

    def _made(self, shape: Shape, method: MethodConfig, target: EntityConfig, *, on_class: bool) -> Made:
        """Return the class of the entities that a method returns."""
        own = Name("cls") if on_class else call("type", Name("self"))
        itself = target.name == self.entity.name
        if itself and on_class and shape.kind.decorator_of_self:
            return Made(SELF, own)
        path = class_path(self.config, target)
        module, _, name = path.partition(":")
        if name == f"{self.entity.name}Base":
            public: Code = Name(name)
        else:
            # Type checkers lose Self in streamed results, so the annotation names the public class.
            public = Name(name, f"from {module} import {name}", typing=True)
            own = call("cast", Literal(f"type[{name}]"), own)
        if method.made_by:
            return Made(public, Attribute(Name("cls" if on_class else "self"), method.made_by))
        if itself:
            return Made(public, own)
        found = call("resolve", Literal(path))
        return Made(public, found if shape.kind.container else call("cast", Literal(f"type[{name}]"), found))

    def _made_by(self, rpc: Method, shape: Shape, method: MethodConfig, one: Code) -> Hook:
        return Hook(method.made_by, results.answer(self.api, self.types, rpc, shape, method), one)


def _all(conditions: tuple[Code, ...]) -> Code | None:
    """Combine conditions into one that is met when all of them are; None for no conditions."""
    if len(conditions) < 2:
        return conditions[0] if conditions else None
    return call("meeting_all", *conditions)
