"""The kinds of method. The row of a kind has its result, parameters, settings, docstrings and template."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from .code import Code, Literal, Name, Union


@attrs.frozen
class Param:
    """A parameter of a generated method. It is required unless it has a default."""

    name: str
    annotation: Code
    default: Code | None
    doc: str

    @property
    def required(self) -> bool:
        """Whether the parameter is required."""
        return self.default is None

    def __str__(self) -> str:
        return f"{self.name}: {self.annotation}" + ("" if self.default is None else f" = {self.default}")


def _optional(name: str, types: tuple[str, ...], doc: str) -> Param:
    return Param(name, Union((*map(Name, types), Name("None"))), Literal(None), doc)


def _timeout(doc: str) -> Param:
    return _optional("timeout", ("float", "timedelta"), doc)


LIMIT = _optional("limit", ("int",), "Maximum number of items. Default: all.")
PAGE_SIZE = _optional("page_size", ("int",), "Items per request. Default: the client's.")
CLIENT = _optional("client", ("Client",), "The client for the calls. Default: the current one.")
_TIMEOUT = _timeout("Maximum seconds for the call, retries included, or a timedelta. Default: the client's.")
_TIMEOUT_OF_PAGE = _timeout("Maximum seconds for each page, retries included, or a timedelta. Default: the client's.")
_TIMEOUT_OF_WATCH = _timeout("Seconds after which the watch gives up, or a timedelta. Default: never.")
_TIMEOUT_OF_STREAM = _timeout("Seconds after which the stream is cut, or a timedelta. Default: never.")


@attrs.frozen(kw_only=True)
class MethodKind:
    """One kind of method. Its name is the value of `kind` in codegen.toml."""

    name: str
    template: str = "unary"
    """The template of its methods: `entities/kinds/_TEMPLATE.j2`."""
    streams: bool
    """Whether it needs an RPC whose replies are streamed."""
    method: str = ""
    """The default name of its methods; by default the first word of the RPC."""
    container: str = ""
    """The class that yields its results; empty for a kind with a single result."""
    decorator: str = "blocking"
    decorator_of_self: str = "fetching"
    """The decorator of methods that return the class that they are called on; "" if type checkers would lose that class."""
    parameters: tuple[Param, ...] = (_TIMEOUT,)
    """Parameters other than those for fields of the request."""
    by_position: bool = False
    """Whether optional parameters of the request may be passed by position."""
    settings: frozenset[str] = frozenset()
    """The settings in codegen.toml that this kind has and some others do not."""
    of_instances: bool = False
    """Whether it acts on an existing resource, and so may be an instance method."""
    makes_entities: bool | None = True
    """Whether it returns entities. None means that it does if codegen.toml sets `returns`."""
    names_thing: bool = True
    """Whether the request field with the identity of the resource becomes a required parameter."""
    raises: str = "NotFoundError: The resource does not exist."
    """Its line under "Raises" in docstrings, in addition to the lines for invalid arguments and failed calls."""
    summary: str = ""
    """The first line of a docstring without a text of its own; by default the words of the RPC's name."""
    returned: str = ""
    """The description of the result."""


LIST = MethodKind(
    name="list",
    template="list",
    streams=False,
    method="listall",
    container="Pager",
    decorator="streaming",
    decorator_of_self="listing",
    parameters=(LIMIT, PAGE_SIZE, _TIMEOUT_OF_PAGE),
    settings=frozenset({"returns", "raw"}),
    names_thing=False,
    raises="",
    summary="List, page by page.",
    returned="A pager for `for` or `async for`. It fetches nothing before the loop starts.",
)
GET = MethodKind(name="get", streams=False, method="get", settings=frozenset({"returns"}), summary="Fetch one.")
CREATE = MethodKind(
    name="create",
    streams=False,
    by_position=True,
    settings=frozenset({"returns"}),
    names_thing=False,
    raises="AlreadyExistsError: The name is taken.",
    summary="Create one.",
    returned="The created entity, as the server stores it.",
)
WATCH = MethodKind(
    name="watch",
    template="watch",
    streams=True,
    method="watch",
    container="Watch",
    decorator="streaming",
    decorator_of_self="",
    parameters=(_TIMEOUT_OF_WATCH,),
    settings=frozenset({"returns", "raw", "final", "fetch", "made_by", "bounded_by"}),
    of_instances=True,
    summary="Watch changes as they happen.",
    returned="A watch for `for` or `async for`. It reconnects when the connection breaks.",
)
STREAM = MethodKind(
    name="stream",
    template="stream",
    streams=True,
    container="Stream",
    decorator="streaming",
    decorator_of_self="",
    parameters=(_TIMEOUT_OF_STREAM,),
    of_instances=True,
    makes_entities=False,
    summary="Stream the messages of the server.",
    returned="A stream for `for` or `async for`. Each loop opens a new stream; a broken connection raises.",
)
CALL = MethodKind(
    name="call",
    streams=False,
    by_position=True,
    settings=frozenset({"returns", "missing_ok"}),
    of_instances=True,
    makes_entities=None,
)

METHOD_KINDS: Mapping[str, MethodKind] = {kind.name: kind for kind in (LIST, GET, CREATE, WATCH, STREAM, CALL)}
"""All kinds by name."""
SETTINGS = frozenset[str]().union(*(kind.settings for kind in METHOD_KINDS.values()))
"""The settings in codegen.toml that only some kinds have."""
