"""The contents of an entity module, as the templates read them."""

from __future__ import annotations

import attrs

from flyte_codegen.configuration.settings import MethodConfig
from flyte_codegen.python.text import literal

from .classify import Shape
from .identity import Identity
from .paging import FIRST_STYLE
from .parameters import Scope, Signature
from .properties import PyProperty
from .summaries import Summary


@attrs.frozen
class PyMethod:
    """A method of an entity."""

    name: str
    decorator: str
    rpc: str
    deprecated: bool
    full_name: str
    signature: Signature
    scope: Scope
    caller: str
    request: str
    returns: str
    wrapped: str
    entity: str
    shape: Shape
    several: bool
    """Whether one reply holds several items."""
    keep: str
    carry: tuple[str, ...]
    final: str
    each: str
    fetch: str
    made_by: str
    item: str
    """The type of what `made_by` takes."""
    bounded_by: str
    missing_ok: bool
    doc: str
    source: MethodConfig

    @property
    def kind(self) -> str:
        """The kind of method; it selects the template."""
        return self.shape.kind.value

    @property
    def names(self) -> tuple[str, ...]:
        """The request's names for page size and page token, if they differ from the runtime's defaults."""
        style = self.shape.style
        return () if style == FIRST_STYLE else (style.size, style.token)

    @property
    def answer(self) -> str:
        """The expression that reads the result from a reply."""
        found = _read_from_reply(self.shape.items)
        return f"cast({literal(self.returns)}, {found})" if "." in self.shape.items and not self.entity else found

    @property
    def items(self) -> str:
        """The expression that reads the list of items from one reply."""
        found = _read_from_reply(self.shape.items)
        return found if self.several else f"[{found}]"

    @property
    def token(self) -> str:
        """The expression that reads the next page token from a reply."""
        return _read_from_reply(self.shape.token)


def _read_from_reply(path: str) -> str:
    if "." in path:
        return f"at_path(reply, {literal(path)})"
    return f"reply.{path}" if path else "reply"


@attrs.frozen
class PyEntity:
    """An entity module."""

    path: str
    name: str
    message: str
    doc: str
    source: str
    imports: tuple[str, ...]
    type_imports: tuple[str, ...]
    properties: tuple[PyProperty, ...]
    identity: Identity
    summary: Summary | None
    finals: tuple[str, ...]
    """Methods that tell whether an item is the last of its watch. The overlay must define them."""
    methods: tuple[PyMethod, ...]
