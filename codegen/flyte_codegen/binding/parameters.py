"""The parameters of generated methods."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence, Set

import attrs

from flyte_codegen.configuration.lines import Source
from flyte_codegen.configuration.settings import OPTIONAL
from flyte_codegen.configuration.toml import nearest
from flyte_codegen.diagnostics import fail
from flyte_codegen.names import AROUND_METHODS, RESERVED_AS_PARAMETER

from .classify import Kind


@attrs.frozen
class Param:
    """A parameter of a generated method. It is required unless it has a default."""

    name: str
    annotation: str
    default: str
    doc: str

    @property
    def required(self) -> bool:
        """Whether the parameter is required."""
        return not self.default

    def __str__(self) -> str:
        return f"{self.name}: {self.annotation}" + (f" = {self.default}" if self.default else "")


_LIMIT = Param("limit", "int | None", "None", "Maximum number of items. Default: all.")
_PAGES = (
    _LIMIT,
    Param("page_size", "int | None", "None", "Items per request. Default: the client's."),
)
_TIMEOUT = Param(
    "timeout",
    "float | timedelta | None",
    "None",
    "Maximum seconds for the call, retries included, or a timedelta. Default: the client's.",
)
_TIMEOUT_OF_PAGE = attrs.evolve(
    _TIMEOUT, doc="Maximum seconds for each page, retries included, or a timedelta. Default: the client's."
)
_TIMEOUT_OF_WATCH = attrs.evolve(
    _TIMEOUT, doc="Seconds after which the watch gives up, or a timedelta. Default: never."
)
_TIMEOUT_OF_STREAM = attrs.evolve(
    _TIMEOUT, doc="Seconds after which the stream is cut, or a timedelta. Default: never."
)
_CLIENT = Param("client", "Client | None", "None", "The client for the calls. Default: the current one.")


_EXTRA = {
    Kind.LIST: (*_PAGES, _TIMEOUT_OF_PAGE),
    Kind.WATCH: (_TIMEOUT_OF_WATCH,),
    Kind.STREAM: (_TIMEOUT_OF_STREAM,),
}


@attrs.frozen
class Signature:
    """The positional and the keyword-only parameters of a method."""

    first: str
    positional: tuple[Param, ...]
    keyword: tuple[Param, ...]

    @property
    def params(self) -> tuple[Param, ...]:
        """All parameters but `self` or `cls`."""
        return (*self.positional, *self.keyword)

    def __str__(self) -> str:
        star = ["*"] if self.keyword else []
        return ", ".join([self.first, *map(str, self.positional), *star, *map(str, self.keyword)])


@attrs.frozen
class Scope:
    """The parts of the client's scope that a method needs: its roles in codegen.toml."""

    roles: frozenset[str]

    @property
    def names(self) -> list[str]:
        """The parameters, in order."""
        return [name for name in ("project", "domain") if {name, name + OPTIONAL} & self.roles]

    @property
    def params(self) -> list[Param]:
        """The parameters that override the client's scope."""
        made: list[Param] = []
        for name in self.names:
            optional = "" if name in self.roles else '; "" for none'
            doc = f"{name.capitalize()} id{optional}. Default: the client's."
            made.append(Param(name, "str | None", "None", doc))
        return made

    @property
    def arguments(self) -> str:
        """The arguments of the client method that resolves the scope."""
        demand = tuple(name for name in self.names if name in self.roles)
        whole = self.names == ["project", "domain"]
        given = ", ".join(self.names if whole else [f"{name}={name}" for name in self.names])
        return given if whole and len(demand) == len(self.names) else f"{given}, demand={demand!r}"


def signature(
    kind: Kind,
    params: Sequence[Param],
    *,
    on_class: bool,
    pages: bool,
    scope: Scope,
    taken: Set[str],
    positional: Sequence[str] = (),
    table: str,
    source: Source,
) -> Signature:
    """Build the signature of a method.

    Args:
        kind: The kind of method, which adds parameters such as `limit` or `timeout`.
        params: The parameters that fill the request.
        on_class: Whether it is a class method, which takes `client=`.
        pages: Whether the list is paged, and takes `page_size=`.
        scope: The parts of the scope that default to the client's.
        taken: Names of types that the method uses, which no parameter may shadow.
        positional: Optional parameters that may be passed by position, in this order.
        table: The method's table in codegen.toml, for remedies in errors.
        source: codegen.toml, for line numbers in errors.

    Raises:
        CodegenError: Two parameters have the same name, or a parameter shadows a name that the method uses.
    """
    by_position = [p for p in params if p.required or kind in (Kind.CALL, Kind.CREATE)]
    by_keyword = [p for p in params if p not in by_position]
    by_keyword += (_LIMIT, _TIMEOUT_OF_PAGE) if kind is Kind.LIST and not pages else _EXTRA.get(kind, (_TIMEOUT,))
    by_keyword += scope.params
    by_keyword += [_CLIENT] if on_class else []
    chosen = [_chosen(name, by_keyword, table, source) for name in dict.fromkeys(positional)]
    by_keyword = [p for p in by_keyword if p not in chosen]
    # Required parameters first. The sort is stable, so both groups keep the order of the request.
    by_position = [*sorted(by_position, key=lambda p: not p.required), *chosen]
    made = Signature("cls" if on_class else "self", tuple(by_position), tuple(by_keyword))
    counts = Counter(p.name for p in made.params)
    for param in params:
        hidden = param.name in RESERVED_AS_PARAMETER or param.name in taken - AROUND_METHODS
        if counts[param.name] > 1 or hidden:
            why = "would shadow a name that the method uses" if hidden else "would occur twice"
            remedy = f'under [{table}], add params = {{ "path.to.field" = "another_name" }}'
            raise fail(source.at_table(table), f"[{table}] the parameter {param.name} {why}", remedy)
    return made


def _chosen(name: str, params: Sequence[Param], table: str, source: Source) -> Param:
    """Return a parameter that codegen.toml makes positional."""
    for param in params:
        if param.name == name:
            return param
    names = [param.name for param in params]
    message = f"[{table}] positional names {name}, which is not a keyword parameter of the method"
    raise fail(source.at_table(table, "positional"), message, nearest(name, names))
