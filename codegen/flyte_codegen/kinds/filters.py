"""The kinds of filter, a row and a function each: the parameter of a list method, and what it makes of the argument."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import attrs

from .code import Code, Literal, Name, Of, Union, call, optional
from .keys import CLASS, NAME, TEXT, key
from .methods import Param


@attrs.frozen(kw_only=True)
class FilterParam:
    """A table `[filters.NAME]`: a parameter of list methods, and the field of the items that it restricts."""

    name: str
    param: str = key(NAME, "The name of the parameter. Default: the name of the filter.")
    kind: str = key(TEXT, "What the parameter takes.", default="equal", among=lambda: FILTER_KINDS)
    field: str = key(TEXT, "The field, by the name that the server's filters use. Default: the name of the filter.")
    doc: str = key(TEXT, "The description of the parameter.")
    enum: str = key(TEXT, "The full name of the enum, for the kinds `enum` and `enum_name`.")
    accepts: str = key(CLASS, "A class of your own, `module:Class`, whose members an enum's filter accepts as well.")
    value: str = key(TEXT, "The constant of the kind `fixed`.")


@attrs.frozen
class Filter:
    """What a filter adds to a method: its parameter, and where it takes effect."""

    param: Param | None = None
    clauses: Code | None = None
    """Filters of the request, as clauses."""
    messages: Code | None = None
    """Filters of the request, as messages."""
    keep: Code | None = None
    """A condition that items must meet on the client."""


class Types(Protocol):
    """The types that filters need in annotations and calls."""

    @property
    def filter(self) -> Code:
        """The message of one filter."""
        ...

    def enum(self, full_name: str) -> Code:
        """The class of an enum."""
        ...

    def choice(self, param: FilterParam) -> Code:
        """The type of the names of an enum's members."""
        ...


@attrs.frozen
class FilterKind:
    """One kind of filter. Its name is the value of `kind` in codegen.toml."""

    name: str
    doc: str
    make: Callable[[FilterParam, Types], Filter]
    keys: tuple[str, ...] = ("doc",)
    """The keys of its table that must be there."""
    functions: tuple[str, ...] = ()
    """The functions of the servers that it uses: members of the enum `function` of the filter message."""
    runtime: tuple[str, ...] = ()
    """The functions of the runtime that it calls."""
    reads: frozenset[str] | None = None
    """The types of the property of the items that it compares on the client; None for a filter of the server alone."""


_TEXT = frozenset({"string"})
_COMPARABLE = _TEXT | frozenset(
    [
        "bool",
        "bytes",
        "double",
        "enum",
        "fixed32",
        "fixed64",
        "float",
        "int32",
        "int64",
        "sfixed32",
        "sfixed64",
        "sint32",
        "sint64",
        "uint32",
        "uint64",
    ]
)


def _simple(function: str, annotation: Code) -> Callable[[FilterParam, Types], Filter]:
    """Return the function of a kind whose argument one runtime function turns into clauses."""

    def make(filter_: FilterParam, _types: Types) -> Filter:
        return Filter(_param(filter_, annotation), clauses=_clause(function, filter_))

    return make


def _of_enum(**options: Code) -> Callable[[FilterParam, Types], Filter]:
    def make(filter_: FilterParam, types: Types) -> Filter:
        enum = types.enum(filter_.enum)
        annotation = Of(Name("Several"), (Union((enum, types.choice(filter_))),))
        return Filter(_param(filter_, annotation), clauses=_clause("any_of", filter_, enum, **options))

    return make


def _prefix(filter_: FilterParam, _types: Types) -> Filter:
    # Servers can't filter by prefix: they filter by substring, and the client drops the other matches.
    return Filter(
        _param(filter_, Name("str")),
        clauses=_clause("containing", filter_),
        keep=call("beginning", Literal(filter_.field), Name(filter_.param)),
    )


def _local(filter_: FilterParam, _types: Types) -> Filter:
    keep = call("having", Literal(filter_.field), Name(filter_.param))
    return Filter(_param(filter_, Name("str")), keep=keep)


def _messages(filter_: FilterParam, types: Types) -> Filter:
    param = Param(filter_.param, Of(Name("Collection"), (types.filter,)), Name("()"), filter_.doc)
    return Filter(param, messages=call("as_list", Literal(filter_.param), Name(filter_.param)))


def _fixed(filter_: FilterParam, _types: Types) -> Filter:
    return Filter(clauses=call("equal", Literal(filter_.field), Literal(""), Literal(filter_.value)))


def _param(filter_: FilterParam, annotation: Code) -> Param:
    return Param(filter_.param, optional(annotation), Literal(None), filter_.doc)


def _clause(function: str, filter_: FilterParam, *more: Code, **options: Code) -> Code:
    return call(function, Literal(filter_.field), Literal(filter_.param), Name(filter_.param), *more, **options)


_LABELS = Of(Name("Mapping"), (Name("str"), Name("str")))
_KEYS = Of(Name("Several"), (Name("str"),))

_EQUAL = ("EQUAL",)
_ENUM_KEYS = ("doc", "enum")
_ENUM_FUNCTIONS = ("EQUAL", "VALUE_IN")

FILTER_KINDS: Mapping[str, FilterKind] = {
    kind.name: kind
    for kind in (
        FilterKind(
            "equal",
            "A string that the field must equal.",
            _simple("equal", Name("str")),
            functions=_EQUAL,
            runtime=("equal",),
        ),
        FilterKind(
            "bool",
            "A bool that the field must equal.",
            _simple("equal_bool", Name("bool")),
            functions=_EQUAL,
            runtime=("equal_bool",),
        ),
        FilterKind(
            "enum", "Members of an enum, sent as numbers.", _of_enum(), _ENUM_KEYS, _ENUM_FUNCTIONS, ("any_of",)
        ),
        FilterKind(
            "enum_name",
            "Members of an enum, sent by their names in the definitions.",
            _of_enum(by_name=Literal(True)),
            _ENUM_KEYS,
            _ENUM_FUNCTIONS,
            ("any_of",),
        ),
        FilterKind(
            "prefix",
            "What the field must begin with, before a dot.",
            _prefix,
            functions=("CONTAINS",),
            runtime=("containing", "beginning"),
            reads=_TEXT,
        ),
        FilterKind(
            "time",
            "A `TimeFilter` for a field with a time.",
            _simple("within", Name("TimeFilter")),
            functions=("GREATER_THAN_OR_EQUAL", "LESS_THAN"),
            runtime=("within",),
        ),
        FilterKind(
            "labels",
            "Labels with values, all of which items must have.",
            _simple("labelled", _LABELS),
            functions=_EQUAL,
            runtime=("labelled",),
        ),
        FilterKind(
            "label_keys",
            "Keys of labels, all of which items must have.",
            _simple("having_labels", _KEYS),
            functions=("EXISTS",),
            runtime=("having_labels",),
        ),
        FilterKind("message", "Filter messages, for fields without a parameter.", _messages),
        FilterKind(
            "local",
            "A value that a property of the entity must equal; for fields that the server can't filter by. The client drops "
            "the other items.",
            _local,
            runtime=("having",),
            reads=_COMPARABLE,
        ),
        FilterKind(
            "fixed",
            "A constant that the field must equal, without a parameter.",
            _fixed,
            keys=("value",),
            functions=_EQUAL,
            runtime=("equal",),
        ),
    )
}
"""All kinds by name."""
