"""The filters and the sort order of list methods."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from flyte_codegen.binding.annotations import Types
from flyte_codegen.configuration.settings import Config
from flyte_codegen.configuration.tables import EntityConfig, MethodConfig
from flyte_codegen.configuration.toml import nearest
from flyte_codegen.definitions.field_paths import find
from flyte_codegen.definitions.model import Api, Field, Label
from flyte_codegen.diagnostics import CodegenError, fail
from flyte_codegen.kinds.code import Call, Code, Literal, Name, Of, Star, Sum, call, optional
from flyte_codegen.kinds.filters import FILTER_KINDS, Filter, FilterParam
from flyte_codegen.kinds.methods import Param
from flyte_codegen.names import RESERVED_AS_PARAMETER

_SORT_BY = "Field to sort by, such as {}; `-` in front for descending. Default: "
_ORDERS = {"": "the server's order", "-created_at": "the newest first"}


@attrs.frozen
class Items:
    """The properties of the items of a list, by name. `open` if an overlay may have others, whose types are unknown."""

    of: str
    fields: Mapping[str, Field]
    open: bool = False


def items_of(api: Api, target: EntityConfig, method: MethodConfig, message: str) -> Items:
    """Return the properties that filters on the client can read: the entity's or, for raw lists, the fields of a message."""
    if method.raw:
        found = api.messages.get(message)
        return Items(message, {field.py_name: field for field in found.fields} if found else {})
    made_of = api.messages.get(target.message)
    paths = {name: find(api, made_of, path) for name, path in target.properties.items()}
    known = {name: path.last for name, path in paths.items() if path}
    # Wrong paths are errors of their own; a filter may mean one of them.
    return Items(target.name, known, open=bool(target.overlay) or len(known) < len(paths))


@attrs.frozen
class Filters:
    """The filters of one method: the list of messages for the request, the parameters, and the conditions on the client."""

    expression: Code
    of_server: tuple[str, ...]
    """The names of the filters that the request carries."""
    params: tuple[Param, ...]
    keep: tuple[Code, ...]


@attrs.frozen
class Order:
    """The sort order of one method: its parameter, its default, and the type of its keys."""

    param: Param
    default: str
    keys: Code | None

    def messages(self, function: str, message: Code) -> Code:
        """Return the call of the runtime function that makes messages."""
        keys = (("keys", self.keys),) if self.keys else ()
        return Call(Name(function), (message, Name(self.param.name), Literal(self.default)), keys)


@attrs.frozen
class Listing:
    """The settings of one list method."""

    config: Config
    types: Types
    method: MethodConfig
    table: str
    items: Items

    def filters(self) -> Filters:
        """Return the filters that the method takes.

        Raises:
            CodegenError: codegen.toml names an unknown filter, or a parameter would shadow a name of the method.
        """
        tables = [self._table(name) for name in self.method.filters]
        made = [self._made(table) for table in tables]
        clauses = [Star(found.clauses) for found in made if found.clauses]
        messages = [found.messages for found in made if found.messages]
        # Lists whose filters are all local may have no message for filters.
        first = [call("as_filters", self.types.filter, *clauses)] if self.config.listing else []
        whole = (*first, *messages)
        return Filters(
            Sum(whole) if len(whole) > 1 else whole[0] if whole else Name("[]"),
            tuple(
                name for name, found in zip(self.method.filters, made, strict=True) if found.clauses or found.messages
            ),
            tuple(found.param for found in made if found.param),
            tuple(found.keep for found in made if found.keep),
        )

    def _made(self, table: FilterParam) -> Filter:
        kind = FILTER_KINDS[table.kind]
        made = kind.make(table, self.types)
        if kind.reads is None:
            return made
        field = self.items.fields.get(table.field)
        if field is None:
            if self.items.open:
                return made
            what = f"filters names {table.name}, which reads {table.field}, but {self.items.of} has no such property"
            remedy = f"under [filters.{table.name}], set field to one of: {', '.join(self.items.fields) or 'none yet'}"
            raise self._fail(what, f"{remedy}; or add the property to the entity")
        if field.label not in (Label.IMPLICIT, Label.OPTIONAL) or field.kind not in kind.reads:
            several = "repeated " if field.label is Label.REPEATED else ""
            what = f"filters names {table.name}, which reads {table.field}, a {several}{field.type_name or field.kind}"
            remedy = f"remove it; filters of the kind {kind.name} take a single {' or '.join(sorted(kind.reads))}"
            raise self._fail(what, remedy)
        if made.param is None or field.kind == "string":
            return made
        return attrs.evolve(made, param=attrs.evolve(made.param, annotation=optional(self.types.single(field))))

    def _fail(self, what: str, remedy: str) -> CodegenError:
        return fail(self.config.source.at_table(self.table, "filters"), f"[{self.table}] {what}", remedy)

    def _table(self, name: str) -> FilterParam:
        found = self.config.filters.get(name)
        if found is None:
            message = f"[{self.table}] filters names {name}, which is not defined"
            remedy = f"add [filters.{name}], or {nearest(name, self.config.filters)}"
            raise fail(self.config.source.at_table(self.table, "filters"), message, remedy)
        if found.param in RESERVED_AS_PARAMETER:
            message = f"[filters.{name}] the parameter {found.param} shadows a name that methods use"
            raise fail(self.config.source.at(("filters", name)), message, 'add param = "another_name"')
        return found


def sort_by(config: Config, method: MethodConfig, table: str) -> Order:
    """Return the sort order of a list method.

    Raises:
        CodegenError: The default is not among the keys, or the keys are not defined.
    """
    sort, name = method.sort, method.sort_keys
    if name and name not in config.sort_keys:
        message = f"[{table}] sort_keys names {name}, which is not defined"
        remedy = f"add it to [sort_keys], or {nearest(name, config.sort_keys)}"
        raise fail(config.source.at_table(table, "sort_keys"), message, remedy)
    keys = config.sort_keys.get(name, ())
    if keys and sort and sort.removeprefix("-") not in keys:
        message = f"[{table}] sort is {sort!r}, which is not among {name}"
        raise fail(config.source.at_table(table, "sort"), message, nearest(sort, keys))
    first, last = (keys[0], keys[-1]) if keys else ("created_at", "name")
    example = _SORT_BY.format(f'"{first}" or ("{last}", "asc")')
    doc = f"{example}{_ORDERS.get(sort, f'`{sort}`')}."
    key = Name(name, f"from {config.package}.sorting import {name}") if keys else None
    annotation = Of(Name("SortedBy"), (key,)) if key else Name("SortBy")
    return Order(Param("sort_by", optional(annotation), Literal(None), doc), sort, key)
