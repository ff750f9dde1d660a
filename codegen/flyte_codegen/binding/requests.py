"""Derive a method's parameters from its request message, and the expression that builds the request."""

from __future__ import annotations

import attrs

from flyte_codegen.configuration.rules import Rules
from flyte_codegen.configuration.settings import OPTIONAL, Config, FilterParam, MethodConfig
from flyte_codegen.configuration.toml import nearest
from flyte_codegen.definitions.model import Api, Field, Label
from flyte_codegen.diagnostics import fail
from flyte_codegen.names import RESERVED_AS_PARAMETER, escape
from flyte_codegen.python import types as python_types
from flyte_codegen.python.text import literal, sentence
from flyte_codegen.python.type_names import TypeNames

from .choices import choice_of, choices
from .classify import Kind, Shape
from .parameters import Param

_FILTER_TYPES = {
    "equal": "str | None",
    "bool": "bool | None",
    "prefix": "str | None",
    "time": "TimeFilter | None",
    "labels": "Mapping[str, str] | None",
    "label_keys": "Several[str] | None",
}
_CLAUSES = {
    "equal": "equal",
    "bool": "equal_bool",
    "time": "within",
    "labels": "labelled",
    "label_keys": "having_labels",
}
"""The runtime functions that check an argument and turn it into a filter."""

_SORT_BY = "Field to sort by, such as {}; `-` in front for descending. Default: "
_LIMIT = Param("limit", "int", "0", "Most items; 0 for as many as the server gives.")

# Well-known messages with a plain Python equivalent: its annotation, and the runtime function that converts it.
_PLAIN = {
    "google.protobuf.Timestamp": ("datetime", "as_timestamp"),
    "google.protobuf.Duration": ("timedelta", "as_duration"),
    "google.protobuf.Struct": ("Mapping[str, object]", "as_struct"),
}


@attrs.frozen
class Subject:
    """The entity of an instance method: the type of its identifier message, or its identifier field and that field's names.

    A request field must have the same presence as the entity's: in proto2 and editions, both may be optional.
    """

    type_name: str = ""
    kind: str = ""
    names: tuple[str, ...] = ()
    label: Label = Label.IMPLICIT

    def fits(self, field: Field, path: str) -> bool:
        """Whether the field of a request identifies the entity."""
        if self.type_name:
            return field.type_name == self.type_name and field.label in (Label.OPTIONAL, Label.REPEATED)
        return path in self.names and _is_plain(field, self.label) and field.kind == self.kind


class RequestBuilder:
    """Walks a request message once. Identifiers are flattened, the client fills the scope, the rest become parameters."""

    def __init__(
        self,
        api: Api,
        config: Config,
        rules: Rules,
        types: TypeNames,
        method: MethodConfig,
        shape: Shape,
        subject: Subject,
        named: str,
        named_as: Label,
        table: str,
    ) -> None:
        self.api, self.config, self.rules, self.types = api, config, rules, types
        self.method, self.shape, self.subject, self.table = method, shape, subject, table
        self.named, self.named_as = named, named_as
        self.params: list[Param] = []
        self.roles: set[str] = set()
        self.uses_identity = False
        self.keep = ""
        self._page = ""
        self._paths: set[str] = set()
        self._used: set[str] = set()

    def build(self, full_name: str) -> str:
        """Return the expression that builds the whole request.

        Raises:
            CodegenError: codegen.toml names a field, a filter or a sort order that the request does not have.
        """
        # Paths here use protobuf names; the pager's fields are known by their Python names.
        fields = self.api.messages[full_name].fields
        self._page = next((f.name for f in fields if f.py_name == self.shape.page), "")
        expression = self._message(full_name, "")
        for key, paths in (("omit", self.method.omit), ("params", self.method.params)):
            for path in paths:
                if path not in self._paths:
                    message = f"[{self.table}] {key} names {path}, which is not a field that callers of {full_name} set"
                    raise fail(self.config.source.at_table(self.table, key), message, nearest(path, self._paths))
        method = self.method
        for key, value in (("filters", method.filters), ("sort", method.sort), ("sort_keys", method.sort_keys)):
            if value and key not in self._used:
                message = f"[{self.table}] {key} is set, but {full_name} has no field for it"
                raise fail(self.config.source.at_table(self.table, key), message, f"remove {key}")
        return expression

    def _message(self, full_name: str, path: str) -> str:
        roles = self.config.scope.get(full_name, {})
        arguments: list[str] = []
        for field in self.api.messages[full_name].fields:
            here = f"{path}.{field.name}".lstrip(".")
            self._paths.add(here)
            if field.deprecated or here in self.method.omit:
                continue
            role = roles.get(field.name)
            if role:
                # Every client has an organization, possibly empty. Project and domain may be unset, so the scope checks them.
                self.roles |= {role} - {"org"}
                source = "caller" if role == "org" else "scope"
                arguments.append(f"{field.py_name}={source}.{role.removesuffix(OPTIONAL)}")
                continue
            expression = self._argument(field, here, full_name)
            if expression:
                arguments.append(f"{field.py_name}={expression}")
        return f"{self.types.name(full_name)}({', '.join(arguments)})"

    def _argument(self, field: Field, path: str, owner: str) -> str:
        listing = self.config.list_request
        if self._is_paging(field, path):
            return ""
        if field.type_name and field.type_name == listing.get("request"):
            return self._list_request(field.type_name)
        if self._is_list() and path == self._page:
            return self._message(field.type_name, path)
        if field.type_name and field.type_name == listing.get("sort") and field.label is not Label.REPEATED:
            return f"next(iter(as_sorts({self.types.name(field.type_name)}, {self._sort_by()})), None)"
        if self.subject.fits(field, path):
            self.uses_identity = True
            return "[self._identity()]" if field.label is Label.REPEATED else "self._identity()"
        if field.type_name and field.type_name == listing.get("filter") and self.method.filters:
            return self._filters()
        if (
            field.type_name in self.config.scope
            and field.label is Label.OPTIONAL
            and self._is_alone(field, path, owner)
        ):
            return self._message(field.type_name, path)
        return self._parameter(field, path, owner)

    def _is_alone(self, field: Field, path: str, owner: str) -> bool:
        """Whether callers can set no other member of the field's oneof, so that the field can always be sent."""
        return all(f.deprecated or name in self.method.omit for name, f in self._others(field, path, owner).items())

    def _others(self, field: Field, path: str, owner: str) -> dict[str, Field]:
        """The other members of the field's oneof, by path."""
        scope = path.rpartition(".")[0]
        fields = self.api.messages[owner].fields
        return {
            f"{scope}.{f.name}".lstrip("."): f for f in fields if field.oneof and f.oneof == field.oneof and f != field
        }

    def _is_paging(self, field: Field, path: str) -> bool:
        """Whether the pager fills in the field."""
        paging = (self.shape.style.size, self.shape.style.token)
        in_page = path.rpartition(".")[0] == self._page
        return self._is_list() and ((in_page and field.name in paging) or path in self.method.carry)

    def _is_list(self) -> bool:
        """Whether the method has pages."""
        return self.shape.kind is Kind.LIST and bool(self.shape.token)

    def _sort_by(self) -> str:
        """The last arguments of `as_sorts`."""
        self._used |= {"sort", "sort_keys"}
        sort, name = self.method.sort, self.method.sort_keys
        keys = self._keys(name)
        if keys and sort and sort.removeprefix("-") not in keys:
            message = f"[{self.table}] sort is {sort!r}, which is not among {name}"
            raise fail(self.config.source.at_table(self.table, "sort"), message, nearest(sort, keys))
        order = {"": "the server's order", "-created_at": "the newest first"}.get(sort, f"`{sort}`")
        first, last = (keys[0], keys[-1]) if keys else ("created_at", "name")
        doc = _SORT_BY.format(f'"{first}" or ("{last}", "asc")')
        annotation = f"SortedBy[{name}]" if keys else "SortBy"
        self.params.append(Param("sort_by", f"{annotation} | None", "None", f"{doc}{order}."))
        return f"sort_by, {literal(sort)}" + (f", keys={name}" if keys else "")

    def _keys(self, name: str) -> tuple[str, ...]:
        """Return the keys that the server sorts by, if codegen.toml lists them."""
        if name and name not in self.config.sort_keys:
            message = f"[{self.table}] sort_keys names {name}, which is not defined"
            remedy = f"add it to [sort_keys], or {nearest(name, self.config.sort_keys)}"
            raise fail(self.config.source.at_table(self.table, "sort_keys"), message, remedy)
        return self.config.sort_keys.get(name, ())

    def _filters(self) -> str:
        """Return the expression for the filters, and add their parameters."""
        self._used.add("filters")
        filter_type = self.types.name(self.config.list_request["filter"])
        params = [self._filter(name) for name in self.method.filters]
        clauses = [f"*{self._clause(param)}" for param in params if param.kind not in ("message", "local")]
        made = f"as_filters({', '.join([filter_type, *clauses])})"
        for param in params:
            if param.kind == "local":
                self._keep_local(param)
            if param.kind == "message":
                self.params.append(Param(param.name, f"Collection[{filter_type}]", "()", param.doc))
                made += f" + as_list({literal(param.name)}, {param.name})"
        return made

    def _list_request(self, full_name: str) -> str:
        """Return the expression for the listing message: filters, sort order and, for unpaged lists, a limit."""
        listing = self.config.list_request
        arguments: list[str] = []
        if self.method.filters:
            arguments.append(f"{listing['filters_field']}={self._filters()}")
        sort_type = self.types.name(listing["sort"])
        arguments.append(f"{listing['sort_field']}=as_sorts({sort_type}, {self._sort_by()})")
        if not self._is_list() and self.api.messages[full_name].field(self.shape.style.size):
            self.params.append(_LIMIT)
            arguments.append(f"{self.shape.style.size}=limit")
        return f"{self.types.name(full_name)}({', '.join(arguments)})"

    def _filter(self, name: str) -> FilterParam:
        found = self.config.filters.get(name)
        if found is None:
            message = f"[{self.table}] filters names {name}, which is not defined"
            remedy = f"add [filters.{name}], or {nearest(name, self.config.filters)}"
            raise fail(self.config.source.at_table(self.table, "filters"), message, remedy)
        if found.name in RESERVED_AS_PARAMETER:
            message = f"[filters.{name}] the parameter {found.name} shadows a name that methods use"
            raise fail(self.config.source.at(("filters", name)), message, 'add param = "another_name"')
        return found

    def _keep_local(self, param: FilterParam) -> None:
        self.params.append(Param(param.name, "str | None", "None", param.doc))
        self.keep = f"having({literal(param.field)}, {param.name})"

    def _clause(self, param: FilterParam) -> str:
        if param.kind == "fixed":
            return f'equal({literal(param.field)}, "", {literal(param.value)})'
        annotation = _FILTER_TYPES.get(param.kind) or f"Several[{self._names_of(param)}] | None"
        self.params.append(Param(param.name, annotation, "None", param.doc))
        arguments = f"{literal(param.field)}, {literal(param.name)}, {param.name}"
        if param.enum:
            by_name = ", by_name=True" if param.kind == "enum_name" else ""
            return f"any_of({arguments}, {self.types.name(param.enum)}{by_name})"
        if param.kind == "prefix":
            # Servers can't filter by prefix: they filter by substring, and the client drops the other matches.
            self.keep = f"beginning({literal(param.field)}, {param.name})"
            return f"containing({arguments})"
        return f"{_CLAUSES[param.kind]}({arguments})"

    def _names_of(self, param: FilterParam) -> str:
        """Return the annotation of one value of a filter on an enum."""
        enum = self.types.name(param.enum)  # raises if the enum does not exist
        choice = choice_of(choices(self.api, self.config), param)
        self.types.typing_lines.add(f"from {self.config.package}.choices import {choice.name}")
        return f"{enum} | {choice.name}"

    def _parameter(self, field: Field, path: str, owner: str) -> str:
        name = self.method.params.get(path) or escape(field.name, RESERVED_AS_PARAMETER)
        rule = f"{owner}.{field.name}"
        low, high = self.rules.length(rule)
        # Only one member of the oneof is left, so the method exists to set it.
        chosen = bool(field.oneof) and self._others(field, path, owner) and self._is_alone(field, path, owner)
        required = chosen or (self.rules.required(rule) and not field.oneof)
        if self._names_the_thing(field, path, owner):
            required, low = True, max(low, 1)
        annotation, default = self._annotation(field), "" if required else _default(field)
        doc = sentence(field.doc) or self._guessed_doc(field)
        if high and str(high) not in doc:
            doc = f"{doc.rstrip('.')}; at most {high} characters."
        self.params.append(Param(name, f"{annotation} | None" if default == "None" else annotation, default, doc))
        if field.label is Label.REPEATED:
            return f"as_list({literal(name)}, {name})"
        if field.type_name in _PLAIN and field.label is Label.OPTIONAL:
            return f"{_PLAIN[field.type_name][1]}({self.types.name(field.type_name)}, {literal(name)}, {name})"
        if field.label is Label.MAP:
            return f"dict({name} or {{}})" if default else f"dict({name})"
        if field.kind == "enum" and field.label is Label.IMPLICIT and default:
            return f"{annotation}(0) if {name} is None else {name}"
        if field.kind != "string" or not (low or high):
            return name
        checked = f"as_text({literal(name)}, {name}, {low}, {high})"
        return f"None if {name} is None else {checked}" if default == "None" else checked

    def _names_the_thing(self, field: Field, path: str, owner: str) -> bool:
        """Whether the field names the resource, and so is required. Create requests may leave the name to the server."""
        creates = self.shape.kind is Kind.CREATE or self.method.rpc.rpartition(".")[2].startswith("Create")
        whole = field.type_name == self.named and field.label is Label.OPTIONAL and not field.oneof
        plain = _is_plain(field, self.named_as if path == self.named else Label.IMPLICIT)
        found = whole or (self.named in (path, owner) and plain)
        return found and self.shape.kind is not Kind.LIST and not creates

    def _guessed_doc(self, field: Field) -> str:
        """Return a docstring for a field without a comment."""
        words = field.name.replace("_", " ")
        if field.kind == "bool":
            return f"The switch `{field.name}`."
        inner = self.api.messages.get(field.type_name)
        about = sentence(inner.doc) if inner and field.type_name not in _PLAIN else ""
        return about or f"The {words}."

    def _annotation(self, field: Field) -> str:
        """Return the annotation of a parameter. Lists and maps accept more general types than the message stores."""
        if field.type_name in _PLAIN and field.label is Label.OPTIONAL:
            return _PLAIN[field.type_name][0]
        single = python_types.single(field, self.types)
        if field.label is Label.REPEATED:
            return f"Collection[{single}]"
        if field.label is Label.MAP:
            return f"Mapping[{python_types.scalar(field.map_key)}, {single}]"
        return single


def _is_plain(field: Field, label: Label) -> bool:
    """Whether a field outside of any oneof is singular, with implicit presence or with `label`'s."""
    return field.label in (Label.IMPLICIT, label) and not field.oneof


def _default(field: Field) -> str:
    """Return the default of a parameter: the field's zero value if the field has no presence, else None."""
    if field.label is Label.REPEATED:
        return "()"
    has_zero = field.label is Label.IMPLICIT and field.kind != "enum"
    return python_types.zero(field.kind) if has_zero else "None"
