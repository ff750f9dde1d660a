"""From a request message to parameters, and to the expression that puts the parameters into the request."""

from __future__ import annotations

from . import pytypes
from .classify import Kind, Shape
from .config import Config, FilterParam, MethodConfig
from .diagnostics import fail
from .model import Api, Field, Label
from .names import RESERVED_AS_PARAMETER, escape
from .naming import TypeNames
from .params import Param
from .rules import Rules
from .text import literal, sentence
from .toml import nearest

_FILTER_TYPES = {
    "equal": "str | None",
    "prefix": "str | None",
    "time": "TimeFilter | None",
}
_SORT_BY = 'Field to sort by, such as "created_at" or ("name", "asc"); `-` in front for descending. Default: '


class RequestBuilder:
    """Walks a request message once; identifiers are flattened, scope comes from the client, the rest is parameters."""

    def __init__(
        self,
        api: Api,
        config: Config,
        rules: Rules,
        types: TypeNames,
        method: MethodConfig,
        shape: Shape,
        identity: str,
        named: str,
        table: str,
    ) -> None:
        self.api, self.config, self.rules, self.types = api, config, rules, types
        self.method, self.shape, self.identity, self.table = method, shape, identity, table
        self.named = named
        self.params: list[Param] = []
        self.uses_scope = False
        self.uses_identity = False
        self.keep = ""
        self._paths: set[str] = set()
        self._used: set[str] = set()

    def build(self, full_name: str) -> str:
        """The expression of a whole request.

        Raises:
            CodegenError: codegen.toml names a field, a filter or an order that the request has no place for.
        """
        expression = self._message(full_name, "")
        for key, paths in (("omit", self.method.omit), ("params", self.method.params)):
            for path in paths:
                if path not in self._paths:
                    message = (
                        f"[{self.table}] {key} names {path}, which is no field that {full_name} leaves to the caller"
                    )
                    raise fail(self.config.source.at_table(self.table, key), message, nearest(path, self._paths))
        for key, value in (("filters", self.method.filters), ("sort", self.method.sort)):
            if value and key not in self._used:
                message = f"[{self.table}] {key} is given, but {full_name} takes none"
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
                # Every client has an organization, if an empty one; project and domain have to be asked for.
                self.uses_scope = self.uses_scope or role != "org"
                arguments.append(f"{field.py_name}={'caller' if role == 'org' else 'scope'}.{role}")
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
        if self._is_list() and path == self.shape.page:
            return self._message(field.type_name, path)
        if field.type_name and field.type_name == listing.get("sort") and field.label is not Label.REPEATED:
            return f"next(iter(as_sorts({self.types.name(field.type_name)}, {self._sort_by()})), None)"
        if self.identity and field.type_name == self.identity and field.label is Label.OPTIONAL:
            self.uses_identity = True
            return "self._identity()"
        if (
            field.type_name in self.config.scope
            and field.label is Label.OPTIONAL
            and self._is_alone(field, path, owner)
        ):
            return self._message(field.type_name, path)
        return self._parameter(field, path, owner)

    def _is_alone(self, field: Field, path: str, owner: str) -> bool:
        """Whether nothing else of the field's oneof is left to the caller, so that it may always be sent."""
        scope = path.rpartition(".")[0]
        others = [f for f in self.api.messages[owner].fields if field.oneof and f.oneof == field.oneof and f != field]
        return all(f.deprecated or f"{scope}.{f.name}".lstrip(".") in self.method.omit for f in others)

    def _is_paging(self, field: Field, path: str) -> bool:
        """Whether the pager fills the field in."""
        paging = (self.shape.style.size, self.shape.style.token)
        in_page = path.rpartition(".")[0] == self.shape.page
        return self._is_list() and in_page and field.name in paging

    def _is_list(self) -> bool:
        """Whether the method has pages."""
        return self.shape.kind is Kind.LIST and bool(self.shape.token)

    def _sort_by(self) -> str:
        """The last arguments of `as_sorts`."""
        self._used.add("sort")
        sort = self.method.sort
        order = {"": "the server's order", "-created_at": "the newest first"}.get(sort, f"`{sort}`")
        self.params.append(Param("sort_by", "SortBy | None", "None", f"{_SORT_BY}{order}."))
        return f"sort_by, {literal(sort)}"

    def _list_request(self, full_name: str) -> str:
        """The request's list part: filters from parameters of their own, and the sort order."""
        listing = self.config.list_request
        self._used.add("filters")
        arguments: list[str] = []
        clauses = [f"*{self._clause(self._filter(name))}" for name in self.method.filters]
        if clauses:
            filter_type = self.types.name(listing["filter"])
            arguments.append(f"{listing['filters_field']}=as_filters({filter_type}, {', '.join(clauses)})")
        sort_type = self.types.name(listing["sort"])
        arguments.append(f"{listing['sort_field']}=as_sorts({sort_type}, {self._sort_by()})")
        return f"{self.types.name(full_name)}({', '.join(arguments)})"

    def _filter(self, name: str) -> FilterParam:
        found = self.config.filters.get(name)
        if found is None:
            message = f"[{self.table}] filters names {name}, which is not defined"
            remedy = f"add [filters.{name}], or {nearest(name, self.config.filters)}"
            raise fail(self.config.source.at_table(self.table, "filters"), message, remedy)
        return found

    def _clause(self, param: FilterParam) -> str:
        annotation = _FILTER_TYPES.get(param.kind) or f"Collection[{self.types.name(param.enum)} | str] | None"
        self.params.append(Param(param.name, annotation, "None", param.doc))
        arguments = f"{literal(param.field)}, {literal(param.name)}, {param.name}"
        if param.kind == "enum":
            return f"any_of({arguments}, {self.types.name(param.enum)})"
        if param.kind == "prefix":
            # Servers can't match beginnings: they narrow the list down, and the rest is left out here.
            self.keep = f"beginning({literal(param.field)}, {param.name})"
            return f"containing({arguments})"
        return f"{'within' if param.kind == 'time' else 'equal'}({arguments})"

    def _parameter(self, field: Field, path: str, owner: str) -> str:
        name = self.method.params.get(path) or escape(field.name, RESERVED_AS_PARAMETER)
        rule = f"{owner}.{field.name}"
        low, high = self.rules.length(rule)
        required = self.rules.required(rule) and not field.oneof
        if self._names_the_thing(field, path, owner):
            required, low = True, max(low, 1)
        annotation, default = self._annotation(field), "" if required else _default(field)
        doc = sentence(field.doc) or f"`{field.name}` of the request."
        if high:
            doc = f"{doc.rstrip('.')}; at most {high} characters."
        self.params.append(Param(name, f"{annotation} | None" if default == "None" else annotation, default, doc))
        if field.label is Label.REPEATED:
            return f"several({literal(name)}, {name})"
        if field.label is Label.MAP:
            return f"dict({name} or {{}})" if default else f"dict({name})"
        if field.kind != "string" or not (low or high):
            return name
        checked = f"text({literal(name)}, {name}, {low}, {high})"
        return f"None if {name} is None else {checked}" if default == "None" else checked

    def _names_the_thing(self, field: Field, path: str, owner: str) -> bool:
        """Whether the request can mean nothing without the field. What creates may leave the name to the server."""
        creates = self.method.rpc.rpartition(".")[2].startswith("Create")
        plain = field.label is Label.IMPLICIT and self.shape.kind is not Kind.LIST
        return self.named in (path, owner) and plain and not creates

    def _annotation(self, field: Field) -> str:
        """What an argument has to be; a list's or map's is more general than what the message keeps."""
        single = pytypes.single(field, self.types)
        if field.label is Label.REPEATED:
            return f"Collection[{single}]"
        if field.label is Label.MAP:
            return f"Mapping[{pytypes.scalar(field.map_key)}, {single}]"
        return single


def _default(field: Field) -> str:
    """What an argument that is left out is: the field's own default where it has no presence, else None."""
    if field.label is Label.REPEATED:
        return "()"
    has_zero = field.label is Label.IMPLICIT and field.kind != "enum"
    return pytypes.zero(field.kind) if has_zero else "None"
