"""From a request message to parameters, and to the expression that puts the parameters into the request."""

from __future__ import annotations

import attrs

from .classify import Kind, Shape
from .config import Config, FilterParam, MethodConfig
from .diagnostics import fail
from .messages import TypeNames
from .model import Api, Field, Label
from .names import RESERVED_AS_PARAMETER, escape
from .rules import Rules
from .text import sentence

_SCALARS = {"string": "str", "bytes": "bytes", "bool": "bool", "double": "float", "float": "float"}
_ZERO = {"str": '""', "bytes": 'b""', "bool": "False", "float": "0.0", "int": "0"}
_FILTER_TYPES = {
    "equal": "str | None",
    "enum": "Collection[str] | None",
    "prefix": "str | None",
    "time": "TimeFilter | None",
}


@attrs.frozen
class Param:
    """A parameter of a generated method."""

    name: str
    annotation: str
    default: str
    doc: str

    @property
    def required(self) -> bool:
        """Whether a call must give it."""
        return not self.default

    def __str__(self) -> str:
        return f"{self.name}: {self.annotation}" + (f" = {self.default}" if self.default else "")


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
    ) -> None:
        self.api, self.config, self.rules, self.types = api, config, rules, types
        self.method, self.shape, self.identity = method, shape, identity
        self.found: list[Param] = []
        self.uses_scope = False
        self.uses_identity = False
        self.keep = ""

    def build(self, full_name: str, path: str = "") -> str:
        """The expression of a message, its fields filled in."""
        message = self.api.messages[full_name]
        roles = self.config.scope.get(full_name, {})
        arguments: list[str] = []
        for field in message.fields:
            here = f"{path}.{field.name}".lstrip(".")
            if field.deprecated or here in self.method.omit:
                continue
            role = roles.get(field.name)
            if role:
                self.uses_scope = True
                arguments.append(f"{field.py_name}=scope.{role}")
                continue
            expression = self._argument(field, here, full_name)
            if expression:
                arguments.append(f"{field.py_name}={expression}")
        return f"{self.types.name(full_name)}({', '.join(arguments)})"

    def params(self, place: str) -> tuple[Param, ...]:
        """The parameters found, required ones first.

        Raises:
            CodegenError: Two fields would be the same parameter.
        """
        names = [p.name for p in self.found]
        for name in names:
            if names.count(name) > 1:
                raise fail(
                    place, f"two fields would be the parameter {name}", 'add params = { "path.to.field" = "name" }'
                )
        return (*(p for p in self.found if p.required), *(p for p in self.found if not p.required))

    def _argument(self, field: Field, path: str, owner: str) -> str:
        listing = self.config.list_request
        in_list = self.shape.kind is Kind.LIST
        if in_list and field.name in ("limit", "token") and self._is_page(path):
            return ""
        if field.type_name == listing.get("request"):
            return self._list_request(field.type_name)
        if field.type_name and field.type_name == listing.get("sort") and field.label is not Label.REPEATED:
            return f"next(iter(as_sorts({self.types.name(field.type_name)}, {self._sort_by()})), None)"
        if self.identity and field.type_name == self.identity:
            self.uses_identity = True
            return "self._identity()"
        if field.type_name in self.config.scope and field.kind == "message":
            return self.build(field.type_name, path)
        return self._parameter(field, path, owner)

    def _is_page(self, path: str) -> bool:
        return path.rpartition(".")[0] == self.shape.page

    def _sort_by(self) -> str:
        self.found.append(
            Param(
                "sort_by",
                "SortBy | None",
                "None",
                f'Field to sort by, such as "created_at" or ("name", "asc"); `-` in '
                f"front for descending. Default: {self._default_order()}.",
            )
        )
        return f'sort_by, "{self.method.sort}"'

    def _default_order(self) -> str:
        if not self.method.sort:
            return "the server's order"
        return "the newest first" if self.method.sort == "-created_at" else f"`{self.method.sort}`"

    def _list_request(self, full_name: str) -> str:
        """The request's list part: filters from parameters of their own, and the sort order."""
        listing = self.config.list_request
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
            known = ", ".join(self.config.filters)
            raise fail(
                f"codegen.toml {self.method.rpc}", f"there is no filter {name}", f"add [filters.{name}]; known: {known}"
            )
        return found

    def _clause(self, param: FilterParam) -> str:
        self.found.append(Param(param.name, _FILTER_TYPES[param.kind], "None", param.doc))
        if param.kind == "enum":
            return f'any_of("{param.field}", "{param.name}", {param.name}, {self.types.name(param.enum)})'
        if param.kind == "prefix":
            # Servers can't match beginnings: they narrow the list down, and the rest is left out here.
            self.keep = f'beginning("{param.field}", {param.name})'
            return f'containing("{param.field}", "{param.name}", {param.name})'
        function = "within" if param.kind == "time" else "equal"
        return f'{function}("{param.field}", "{param.name}", {param.name})'

    def _parameter(self, field: Field, path: str, owner: str) -> str:
        name = escape(self.method.params.get(path, field.name), RESERVED_AS_PARAMETER)
        full_name = f"{owner}.{field.name}"
        low, high = self.rules.length(full_name)
        single = self.types.name(field.type_name) if field.type_name else _SCALARS.get(field.kind, "int")
        annotation = single
        if field.label is Label.REPEATED:
            annotation = f"Collection[{single}]"
        elif field.label is Label.MAP:
            annotation = f"Mapping[{_SCALARS.get(field.map_key, 'int')}, {single}]"
        required = self.rules.required(full_name) and not field.oneof
        doc = sentence(field.doc) or f"`{field.name}` of the request."
        if high:
            doc = f"{doc.rstrip('.')}; at most {high} characters."
        default = "" if required else _default(field, annotation)
        param = Param(name, annotation if default != "None" else f"{annotation} | None", default, doc)
        self.found.append(param)
        if field.label is Label.REPEATED:
            return f"list({name})"
        if field.label is Label.MAP:
            return f"None if {name} is None else dict({name})"
        if field.kind == "string" and (low or high):
            checked = f'text("{name}", {name}, {low}, {high})'
            return f"None if {name} is None else {checked}" if default == "None" else checked
        return name


def _default(field: Field, annotation: str) -> str:
    """What an argument that is left out is: the field's own default where it has no presence, else None."""
    if field.label is Label.REPEATED:
        return "()"
    return _ZERO.get(annotation, "None") if field.label is Label.IMPLICIT else "None"
