"""The contents of an entity module, as the templates read them."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from flyte_codegen.configuration.tables import MethodConfig
from flyte_codegen.kinds.code import Code

from .identity import Identity
from .properties import PyProperty
from .requests.parameters import Signature
from .results import Result, read
from .shapes.classify import Shape
from .summaries import Summary


@attrs.frozen
class Hook:
    """A method of the overlay that a generated method calls."""

    name: str
    item: Code | None
    """The type of the item that it takes; None if it is called on the entity."""
    returns: Code


@attrs.frozen(kw_only=True)
class PyMethod:
    """A method of an entity."""

    name: str
    full_name: str
    shape: Shape
    template: str
    """The name of its template in `entities/kinds`."""
    decorator: str
    rpc: Code
    deprecated: bool
    signature: Signature
    scope: Code | None
    """The call that finds the scope of the request."""
    caller: Code
    request: Code
    result: Result
    keep: Code | None
    """The condition that items must meet on the client."""
    fetch: Hook | None
    made_by: Hook | None
    config: MethodConfig
    doc: str

    @property
    def returns(self) -> Code:
        """The return annotation of the method."""
        return self.result.annotation

    @property
    def page(self) -> str:
        """The field of a list's request with page size and token; "" for the request itself."""
        return self.shape.pages.holder.python if self.shape.pages else ""

    @property
    def token(self) -> Code | None:
        """The expression that reads the next page's token from a reply; None for a list without pages."""
        return read(self.shape.pages.next) if self.shape.pages else None

    @property
    def about(self) -> str:
        """The expression that names the watched resource."""
        return "self._label()" if self.signature.first == "self" else "cls.__name__"

    @property
    def code(self) -> Iterator[Code]:
        """All expressions of the method."""
        for param in self.signature.params:
            yield param.annotation
            yield from () if param.default is None else (param.default,)
        yield from (self.rpc, self.caller, self.request, *self.result.code)
        yield from (hook.item for hook in (self.fetch, self.made_by) if hook and hook.item)
        yield from (self.keep,) if self.keep else ()


@attrs.frozen(kw_only=True)
class PyEntity:
    """An entity module."""

    path: str
    name: str
    message: Code
    doc: str
    source: str
    imports: tuple[str, ...]
    type_imports: tuple[str, ...]
    properties: tuple[PyProperty, ...]
    identity: Identity
    summary: Summary | None
    finals: tuple[str, ...]
    """Methods that return whether an item is the last of its watch. The overlay must define them."""
    methods: tuple[PyMethod, ...]
