"""Derive a method's parameters from its request message, and the expression that builds the request."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from flyte_codegen.binding.annotations import PLAIN, Types
from flyte_codegen.binding.shapes.classify import Shape
from flyte_codegen.configuration.rules import Rules
from flyte_codegen.configuration.settings import OPTIONAL, ORG, Config
from flyte_codegen.configuration.tables import MethodConfig
from flyte_codegen.configuration.toml import nearest
from flyte_codegen.definitions.field_paths import FieldPath
from flyte_codegen.definitions.model import Api, Field, Label, Message
from flyte_codegen.diagnostics import CodegenError, fail
from flyte_codegen.kinds.code import Call, Code, Listed, Literal, Name, Or, UnlessNone, call, optional
from flyte_codegen.kinds.methods import LIST, Param
from flyte_codegen.names import RESERVED_AS_PARAMETER, escape
from flyte_codegen.text import sentence

from .listings import Items, Listing, sort_by
from .scope import value_of


@attrs.frozen
class Subject:
    """The entity of an instance method: the type of its identifier message, or its identifier field and that field's names.

    A request field must have the same presence as the entity's: in proto2 and editions, both may be optional.
    """

    type_name: str = ""
    kind: str = ""
    names: tuple[str, ...] = ()
    label: Label = Label.IMPLICIT

    def fits(self, field: Field, path: FieldPath) -> bool:
        """Whether the field of a request identifies the entity."""
        if self.type_name:
            return field.type_name == self.type_name and field.label in (Label.OPTIONAL, Label.REPEATED)
        return str(path) in self.names and _is_plain(field, self.label) and field.kind == self.kind


@attrs.frozen(kw_only=True)
class Plan:
    """The inputs for building the request of one method.

    Attributes:
        scope: The roles of fields by message.
        types: The names of types in the entity's module.
        subject: The entity that an instance method acts on.
        items: The properties of the items of a list.
        own: The parts of the scope that the entity of an instance method has itself.
        identity: The identity of the entity that the method returns, if its message has the field.
        table: The method's table in codegen.toml, for errors.
    """

    api: Api
    config: Config
    rules: Rules
    scope: Mapping[str, Mapping[str, str]]
    types: Types
    method: MethodConfig
    shape: Shape
    subject: Subject
    items: Items
    own: Mapping[str, Code]
    identity: FieldPath | None
    table: str

    def fail(self, what: str, remedy: str, key: str = "") -> CodegenError:
        """Return an error about a key of the method's table."""
        return fail(self.config.source.at_table(self.table, key), f"[{self.table}] {what}", remedy)


@attrs.frozen
class Request:
    """A request: the expression that builds it, and the parameters and parts of the scope that the expression uses."""

    expression: Code
    params: tuple[Param, ...]
    roles: frozenset[str]
    keep: tuple[Code, ...]
    """The conditions that items must meet on the client."""
    uses_identity: bool


def build(plan: Plan, full_name: str) -> Request:
    """Return the request of a method.

    Raises:
        CodegenError: codegen.toml names a field, a filter or a sort order that the request does not have.
    """
    walk = _Walk(plan)
    expression = walk.message(full_name, FieldPath())
    if walk.identities and plan.own:
        # The method acts on an entity, whose own parts of the scope go before the client's.
        walk = _Walk(plan, plan.own)
        expression = walk.message(full_name, FieldPath())
    _check_identities(plan, walk.identities)
    method, known = plan.method, [str(path) for path in walk.paths]
    for key, paths in (("omit", method.omit), ("params", method.params)):
        for path in paths:
            if path not in known:
                what = f"{key} names {path}, which is not a field that callers of {full_name} set"
                raise plan.fail(what, nearest(path, known), key)
    for path in method.params:
        if path not in walk.named:
            what = f"params names {path}, which is no parameter: the client fills it in, or nobody sets it"
            raise plan.fail(what, "remove it from params", "params")
    if method.filters and "filters" not in walk.used:
        walk.local_filters(full_name)
    if walk.keep and plan.shape.kind is not LIST:
        what = f"filters has some that drop items on the client, which only lists do; this is a {plan.shape.kind.name}"
        raise plan.fail(what, "remove the filters of the kinds local and prefix", "filters")
    for key in ("sort", "sort_keys"):
        if getattr(method, key) and key not in walk.used:
            raise plan.fail(f"{key} is set, but {full_name} has no field for it", f"remove {key}", key)
    return Request(expression, tuple(walk.params), frozenset(walk.roles), tuple(walk.keep), bool(walk.identities))


def _check_identities(plan: Plan, found: list[FieldPath]) -> None:
    """Refuse a request with several fields that may be the entity's own identity: the others are parameters."""
    if len(found) < 2:
        return
    own = next((path for path in found if str(path) in plan.subject.names), found[0])
    others = ", ".join(f'"{path}" = "{path.last.name}"' for path in found if path != own)
    what = f"several fields fit the identity of the entity: {', '.join(map(str, found))}"
    remedy = f"under [{plan.table}], name those that callers set: params = {{ {others} }}; or leave them out with omit"
    raise plan.fail(what, remedy)


class _Walk:
    """Walks a request message once. Fields of identifiers become parameters, the client fills in the scope, and the other fields
    become parameters."""

    def __init__(self, plan: Plan, own: Mapping[str, Code] | None = None) -> None:
        self.plan = plan
        self._own = own or {}
        self.params: list[Param] = []
        self.roles: set[str] = set()
        self.keep: list[Code] = []
        self.identities: list[FieldPath] = []
        """The fields that the entity's own identity fills in."""
        self.paths: list[FieldPath] = []
        self.named: set[str] = set()
        self.used: set[str] = set()
        self._pages = plan.shape.pages

    def message(self, full_name: str, path: FieldPath) -> Code:
        plan = self.plan
        message = plan.api.messages[full_name]
        roles = plan.scope.get(full_name, {})
        arguments: list[tuple[str, Code]] = []
        for field in message.fields:
            here = path / field
            self.paths.append(here)
            if field.deprecated or str(here) in plan.method.omit:
                continue
            if role := roles.get(field.name):
                self._check_role(field, here, message)
                if value := self._own.get(role.removesuffix(OPTIONAL)):
                    arguments.append((field.py_name, value))
                    continue
                # Every client has an organization, possibly empty. The others may be unset, so the scope checks them.
                self.roles |= {role} - {ORG}
                arguments.append((field.py_name, value_of(role)))
            elif value := self._argument(field, here, message):
                arguments.append((field.py_name, value))
        return Call(plan.types.message(full_name), (), tuple(arguments))

    def _check_role(self, field: Field, path: FieldPath, owner: Message) -> None:
        """Refuse a part of the scope that shares a oneof: a message holds only one of its members."""
        if self._is_alone(field, path, owner):
            return
        others = [str(path.parent / f) for f in _others(field, owner)]
        what = (
            f"the client fills in {path}, which is in one oneof with {', '.join(others)}; only one of them can be sent"
        )
        omitted = ", ".join(f'"{name}"' for name in others)
        raise self.plan.fail(what, f"under [{self.plan.table}], add omit = [{omitted}], or omit {path} instead")

    def _argument(self, field: Field, path: FieldPath, owner: Message) -> Code | None:
        plan, listing = self.plan, self.plan.config.listing
        if self._pages and path in (self._pages.token, self._pages.size):
            return None
        if field.type_name and listing and field.type_name == listing.request:
            return self._list_request(field.type_name)
        if self._pages and path == self._pages.holder:
            return self.message(field.type_name, path)
        if field.type_name and listing and field.type_name == listing.sort and field.label is not Label.REPEATED:
            return self._sort_by("as_sort", field.type_name)
        if plan.subject.fits(field, path) and not self._is_parameter(path):
            self.identities.append(path)
            identity = call("self._identity")
            return Listed(identity) if field.label is Label.REPEATED else identity
        if field.type_name and listing and field.type_name == listing.filter and plan.method.filters:
            return self._filters()
        named = str(path) in plan.method.params
        flat = field.type_name in plan.scope and field.label is Label.OPTIONAL and not named
        if flat and self._is_alone(field, path, owner):
            return self.message(field.type_name, path)
        return self._parameter(field, path, owner)

    def _is_parameter(self, path: FieldPath) -> bool:
        """Whether codegen.toml names the field, or a field within, as a parameter."""
        return any(name == str(path) or name.startswith(f"{path}.") for name in self.plan.method.params)

    def _is_alone(self, field: Field, path: FieldPath, owner: Message) -> bool:
        """Whether callers can set no other member of the field's oneof, so that every request can set the field."""
        others = _others(field, owner)
        return all(f.deprecated or str(path.parent / f) in self.plan.method.omit for f in others)

    def _listing(self) -> Listing:
        plan = self.plan
        return Listing(plan.config, plan.types, plan.method, plan.table, plan.items)

    def local_filters(self, full_name: str) -> None:
        """Take the filters of a list whose request has no field for them: the client drops the other items."""
        filters = self._listing().filters()
        self.used.add("filters")
        if filters.of_server:
            what = f"filters is set, but {full_name} has no field for {', '.join(filters.of_server)}"
            remedy = 'remove them from filters, or set kind = "local" to filter on the client'
            raise self.plan.fail(what, remedy, "filters")
        self.params += filters.params
        self.keep += filters.keep

    def _filters(self) -> Code:
        self.used.add("filters")
        filters = self._listing().filters()
        self.params += filters.params
        self.keep += filters.keep
        return filters.expression

    def _sort_by(self, function: str, message: str) -> Code:
        self.used |= {"sort", "sort_keys"}
        order = sort_by(self.plan.config, self.plan.method, self.plan.table)
        self.params.append(order.param)
        return order.messages(function, self.plan.types.message(message))

    def _list_request(self, full_name: str) -> Code:
        """Return the expression for the listing message: filters, sort order and, for lists without pages, a limit."""
        plan, listing = self.plan, self.plan.config.listing
        assert listing is not None  # the caller has checked
        arguments: list[tuple[str, Code]] = []
        if plan.method.filters:
            arguments.append((listing.filters_field, self._filters()))
        arguments.append((listing.sort_field, self._sort_by("as_sorts", listing.sort)))
        if not self._pages and plan.api.messages[full_name].field("limit"):
            self.params.append(
                Param(
                    "limit", Name("int"), Literal(0), "Maximum number of items. Default: 0, the server's own maximum."
                )
            )
            arguments.append(("limit", Name("limit")))
        return Call(plan.types.message(full_name), (), tuple(arguments))

    def _parameter(self, field: Field, path: FieldPath, owner: Message) -> Code:
        plan = self.plan
        self.named.add(str(path))
        name = plan.method.params.get(str(path)) or escape(field.name, RESERVED_AS_PARAMETER)
        rule = f"{owner.full_name}.{field.name}"
        low, high = plan.rules.length(rule)
        # `omit` leaves one member of the oneof, so the method exists to set it.
        chosen = bool(field.oneof) and bool(_others(field, owner)) and self._is_alone(field, path, owner)
        required = chosen or (plan.rules.required(rule) and not field.oneof)
        if self._names_the_thing(field, path, owner):
            required, low = True, max(low, 1)
        annotation, default = plan.types.argument(field), None if required else self._default(field)
        doc = sentence(field.doc) or self._doc_without_comment(field, path)
        if high and str(high) not in doc:
            doc = f"{doc.rstrip('.')}; at most {high} characters."
        may_be_none = default == Literal(None)
        self.params.append(Param(name, optional(annotation) if may_be_none else annotation, default, doc))
        value = Name(name)
        if field.label is Label.REPEATED:
            return call("as_list", Literal(name), value)
        if field.type_name in PLAIN and field.label is Label.OPTIONAL:
            return call(PLAIN[field.type_name][1], plan.types.message(field.type_name), Literal(name), value)
        if field.label is Label.MAP:
            return call("dict", Or(value, Name("{}"))) if default else call("dict", value)
        if field.kind == "enum" and field.label is Label.IMPLICIT and default:
            return UnlessNone(value, value, call(annotation, Literal(0)))
        if field.kind != "string" or not (low or high):
            return value
        checked = call("as_text", Literal(name), value, Literal(low), Literal(high))
        return UnlessNone(value, checked) if may_be_none else checked

    def _names_the_thing(self, field: Field, path: FieldPath, owner: Message) -> bool:
        """Whether the field identifies the resource, and so is required. In create requests, the server may choose the name."""
        shape, identity = self.plan.shape, self.plan.identity
        if identity is None or shape.creates or not shape.kind.names_thing:
            return False
        message = identity.last.type_name
        if message:
            whole = field.type_name == message and field.label is Label.OPTIONAL and not field.oneof
            return whole or (owner.full_name == message and _is_plain(field, Label.IMPLICIT))
        return str(path) == str(identity) and _is_plain(field, identity.last.label)

    def _doc_without_comment(self, field: Field, path: FieldPath) -> str:
        inner = self.plan.api.messages.get(field.type_name)
        about = sentence(inner.doc) if inner and field.type_name not in PLAIN else ""
        return about or f"`{path}` of the request."

    def _default(self, field: Field) -> Code:
        """Return the default of a parameter: the field's zero value if the field has no presence, else None."""
        if field.label is Label.REPEATED:
            return Name("()")
        has_zero = field.label is Label.IMPLICIT and field.kind != "enum"
        return self.plan.types.zero(field) if has_zero else Literal(None)


def _others(field: Field, owner: Message) -> list[Field]:
    """The other members of the field's oneof."""
    return [f for f in owner.fields if field.oneof and f.oneof == field.oneof and f != field]


def _is_plain(field: Field, label: Label) -> bool:
    """Whether a field outside of any oneof is singular, with implicit presence or with `label`'s."""
    return field.label in (Label.IMPLICIT, label) and not field.oneof
