"""What an entity module looks like: each configured RPC as a method whose parameters are linked to the request."""

from __future__ import annotations

from collections import Counter

import attrs

from . import docs
from .classify import Kind, classify, field_at
from .config import Config, EntityConfig, MethodConfig
from .diagnostics import fail
from .messages import Naming, TypeNames
from .model import Api, Field, Message, Method, Service
from .names import RESERVED_AS_PARAMETER, escape, snake
from .requests import Param, RequestBuilder
from .rules import Rules
from .text import literal


@attrs.frozen
class PyProperty:
    """A property that reads a path of the entity's message."""

    name: str
    annotation: str
    steps: tuple[tuple[str, str], ...]
    value: str
    empty: str
    doc: str


@attrs.frozen
class PyMethod:
    """A method of an entity."""

    name: str
    kind: str
    decorator: str
    rpc: str
    signature: tuple[str, ...]
    scoped: bool
    caller: str
    request: str
    returns: str
    entity: str
    items: str
    token: str
    page: str
    keep: str
    final: str
    each: str
    missing_ok: bool
    doc: str
    source: MethodConfig


@attrs.frozen
class PyEntity:
    """An entity module."""

    path: str
    name: str
    message: str
    doc: str
    source: str
    imports: tuple[str, ...]
    type_imports: tuple[str, ...]
    properties: tuple[PyProperty, ...]
    key: str
    identity: str
    methods: tuple[PyMethod, ...]


def modules(api: Api, naming: Naming, config: Config, rules: Rules) -> list[PyEntity]:
    """The entity modules to write, one per `[entities.NAME]`."""
    return [_Linker(api, naming, config, rules, entity).link() for entity in config.entities]


def class_path(config: Config, entity: EntityConfig) -> str:
    """Where the class that users meet is found, `module:Class`."""
    return entity.overlay or f"{config.package}.entities.{snake(entity.name)}:{entity.name}Base"


def exports(config: Config) -> list[tuple[str, str]]:
    """The name and place of every entity's class."""
    return [(entity.name, class_path(config, entity)) for entity in config.entities]


def link(api: Api, config: Config, rules: Rules, entity: EntityConfig) -> PyEntity:
    """One entity, linked."""
    return _Linker(api, Naming(api, config.package, dict(config.extern)), config, rules, entity).link()


class _Linker:
    """Links one entity."""

    def __init__(self, api: Api, naming: Naming, config: Config, rules: Rules, entity: EntityConfig) -> None:
        self.api, self.naming, self.config, self.rules, self.entity = api, naming, config, rules, entity
        self.place = f"codegen.toml [entities.{entity.name}]"
        taken = {
            f"{entity.name}Base",
            "Entity",
            "Pager",
            "Watch",
            "Client",
            "Collection",
            "SortBy",
            "TimeFilter",
            "datetime",
        }
        self.types = TypeNames(naming, taken | {e.name for e in config.entities})
        self.overlays: set[str] = set()
        self.services: set[str] = set()
        if entity.message not in api.messages:
            raise fail(self.place, f"there is no message {entity.message}", "correct `message`")
        self.message = api.messages[entity.message]

    def link(self) -> PyEntity:
        entity = self.entity
        methods = tuple(self._method(m) for m in entity.methods)
        clashes = [n for n, c in Counter(m.name for m in methods).items() if c > 1]
        if clashes:
            raise fail(self.place, f"two methods are named {clashes[0]}", "give one a `name`")
        properties = tuple(self._property(name, path) for name, path in entity.properties.items())
        return PyEntity(
            path=snake(entity.name),
            name=entity.name,
            message=self.types.name(entity.message),
            doc=entity.doc or self.message.doc or f"`{entity.message}`.",
            source=self.api.file_of[entity.message].name,
            properties=properties,
            key=self._key(),
            identity=entity.identity,
            methods=methods,
            imports=tuple(sorted({*self.types.lines, *self.services})),
            type_imports=tuple(sorted(self.overlays)),
        )

    def _field(self, path: str) -> Field:
        field = field_at(self.api, self.message, path)
        if field is None:
            raise fail(self.place, f"{self.entity.message} has nothing at {path!r}", "correct the path")
        return field

    def _key(self) -> str:
        """The tuple that names the thing: all leaves of its identity but the organization."""
        field = self._field(self.entity.identity)
        inner = self.api.messages.get(field.type_name)
        leaves = self._leaves(inner, self.entity.identity) if inner else [self.entity.identity]
        return "(" + "".join(f"walk(self.pb2, {literal(path)}), " for path in leaves) + ")"

    def _leaves(self, message: Message, path: str) -> list[str]:
        roles = self.config.scope.get(message.full_name, {})
        out: list[str] = []
        for field in message.fields:
            here = f"{path}.{field.py_name}"
            if field.kind == "message":
                out += self._leaves(self.api.messages[field.type_name], here)
            elif roles.get(field.name) != "org":
                out.append(here)
        return out

    def _property(self, name: str, path: str) -> PyProperty:
        field = self._field(path)
        parts = path.split(".")
        steps = tuple((f"at{i}", part) for i, part in enumerate(parts[:-1]))
        last, doc = parts[-1], field.doc
        if field.type_name == "google.protobuf.Timestamp":
            return PyProperty(name, "datetime | None", steps, f"{last}:to_datetime", "None", doc)
        if field.kind == "message":
            return PyProperty(name, f"{self.types.name(field.type_name)} | None", steps, last, "None", doc)
        if field.kind == "map":
            value = {"string": "str"}.get(field.map_value, "int")
            return PyProperty(name, f"dict[str, {value}]", steps, last, "{}", doc)
        if field.kind == "enum":
            annotation = self.types.name(field.type_name)
            return PyProperty(name, annotation, steps, last, f"{annotation}(0)", doc)
        annotation = {"string": "str", "bool": "bool", "double": "float"}.get(field.kind, "int")
        empty = {"str": '""', "bool": "False", "float": "0.0"}.get(annotation, "0")
        return PyProperty(name, annotation, steps, last, empty, doc)

    def _rpc(self, method: MethodConfig) -> tuple[Service, Method]:
        name = method.rpc if "." in method.rpc else f"{self.entity.service}.{method.rpc}"
        for service in self.api.services():
            for found in service.methods:
                if found.full_name == name:
                    return service, found
        raise fail(f"{self.place}.methods", f"there is no RPC {name}", "correct the name, or `service`")

    def _method(self, config: MethodConfig) -> PyMethod:
        service, rpc = self._rpc(config)
        shape = classify(self.api, rpc, kind=config.kind, items=config.items)
        if shape.kind is Kind.UNSUPPORTED:
            raise fail(f"{self.place}.methods.{config.rpc}", f"can't be a method: {shape.why}", "remove it")
        on_instance = shape.kind in (Kind.CALL, Kind.WATCH)
        identity = self._field(self.entity.identity).type_name if on_instance else ""
        builder = RequestBuilder(self.api, self.config, self.rules, self.types, config, shape, identity)
        request = builder.build(rpc.request)
        params = builder.params(f"{self.place}.methods.{config.rpc}")
        self.services.add(f"from {self.naming.package}.services.{service.module} import {service.py_name}")
        first = "self" if builder.uses_identity else "cls"
        returns, entity = self._returns(shape.kind, config)
        return PyMethod(
            name=config.name or escape(_default_name(rpc, shape.kind), RESERVED_AS_PARAMETER),
            kind=shape.kind.value,
            decorator={"list": "listing", "get": "fetching", "watch": "streaming", "call": "blocking"}[
                shape.kind.value
            ],
            rpc=f"{service.py_name}.{rpc.py_name.upper()}",
            signature=_signature(first, params, shape.kind, scoped=builder.uses_scope),
            scoped=builder.uses_scope,
            caller="self.client" if first == "self" else "resolve_client(client)",
            request=request,
            returns=returns,
            entity=entity,
            items=shape.items,
            token=shape.token,
            page=shape.page,
            keep=builder.keep,
            final=config.final,
            each=config.each,
            missing_ok=config.missing_ok,
            doc=docs.method(rpc, config, params, shape.kind, scoped=builder.uses_scope, on_class=first == "cls"),
            source=config,
        )

    def _returns(self, kind: Kind, config: MethodConfig) -> tuple[str, str]:
        """The annotation of what one call, or one item, is; and the expression for its class."""
        if config.returns:
            target = next((e for e in self.config.entities if e.name == config.returns), None)
            if target is None:
                raise fail(
                    f"{self.place}.methods.{config.rpc}", f"there is no entity {config.returns}", "correct `returns`"
                )
            path = class_path(self.config, target)
            module, _, name = path.partition(":")
            self.overlays.add(f"from {module} import {name}")
            return name, f'resolve("{path}")'
        if kind is Kind.CALL:
            return ("bool" if config.missing_ok else "None"), ""
        return "Self", "cls"


def _signature(first: str, params: tuple[Param, ...], kind: Kind, *, scoped: bool) -> tuple[str, ...]:
    """The parameters as they are written: what names the thing by position, settings by keyword."""
    by_position = [str(p) for p in params if p.required or kind is Kind.CALL]
    by_keyword = [str(p) for p in params if not (p.required or kind is Kind.CALL)]
    if kind is Kind.LIST:
        by_keyword += ["limit: int | None = None", "page_size: int | None = None"]
    if kind is Kind.WATCH:
        by_keyword.append("timeout: float | None = None")
    if scoped:
        by_keyword += ["project: str | None = None", "domain: str | None = None"]
    if first == "cls":
        by_keyword.append("client: Client | None = None")
    return (first, *by_position, *(["*"] if by_keyword else []), *by_keyword)


def _default_name(rpc: Method, kind: Kind) -> str:
    if kind is Kind.LIST:
        return "listall"
    if kind is Kind.GET:
        return "get"
    return "watch" if kind is Kind.WATCH else rpc.py_name.split("_")[0]
