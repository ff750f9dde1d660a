"""The parameters of generated methods."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence, Set

import attrs

from flyte_codegen.binding.shapes.classify import Shape
from flyte_codegen.configuration.lines import Source
from flyte_codegen.configuration.toml import nearest
from flyte_codegen.diagnostics import fail
from flyte_codegen.kinds.methods import CLIENT, LIMIT, PAGE_SIZE, Param
from flyte_codegen.names import AROUND_METHODS, RESERVED_AS_PARAMETER

from .scope import Scope


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


def signature(
    shape: Shape,
    params: Sequence[Param],
    scope: Scope,
    *,
    on_class: bool,
    taken: Set[str],
    positional: Sequence[str],
    table: str,
    source: Source,
) -> Signature:
    """Build the signature of a method.

    Args:
        shape: The kind of method, which adds parameters such as `limit` or `timeout`.
        params: The parameters that fill the request.
        scope: The parts of the scope that default to the client's.
        on_class: Whether it is a class method, which takes `client=`.
        taken: Names of types that the method uses, which no parameter may shadow.
        positional: Optional parameters that may be passed by position, in this order.
        table: The method's table in codegen.toml, for remedies in errors.
        source: codegen.toml, for line numbers in errors.

    Raises:
        CodegenError: Two parameters have the same name, or a parameter shadows a name that the method uses.
    """
    by_position = [p for p in params if p.required or shape.kind.by_position]
    by_keyword = [p for p in params if p not in by_position]
    by_keyword += [p for p in shape.kind.parameters if p is not PAGE_SIZE or shape.pages]
    by_keyword += scope.params
    by_keyword += [CLIENT] if on_class else []
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
            if param.name in (LIMIT.name, PAGE_SIZE.name) and shape.kind.container:
                why = f"is one that every {shape.kind.name} has by itself"
                remedy += ', or pages = { token = "PATH", next = "PATH", size = "PATH" } if it is the size of a page'
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
