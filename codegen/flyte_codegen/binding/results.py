"""The results of methods: entities, replies, or fields of replies."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from flyte_codegen.configuration.tables import MethodConfig
from flyte_codegen.definitions.field_paths import FieldPath
from flyte_codegen.definitions.model import Api, Method
from flyte_codegen.kinds.code import Attribute, Code, Listed, Literal, Name, Of, call
from flyte_codegen.kinds.methods import GET, STREAM, MethodKind
from flyte_codegen.names import begins_with

from .annotations import Types
from .shapes.classify import Shape

_REPLY = Name("reply")
SELF = Name("Self")


@attrs.frozen
class Made:
    """The class of the entities that a method returns: its annotation, and the expression that makes one."""

    annotation: Code
    make: Code


@attrs.frozen(kw_only=True)
class Result:
    """What a method returns."""

    one: Code
    """The annotation of one result or item."""
    container: str
    make: Code | None
    """The class or function that creates an entity from an item; None for items that are returned unchanged."""
    items: Code
    """The list of items in one reply."""
    answer: Code | None
    """The result of a single reply; None if the method returns nothing."""

    @property
    def annotation(self) -> Code:
        """The annotation of what the method returns."""
        return Of(Name(self.container), (self.one,)) if self.container else self.one

    @property
    def is_reply(self) -> bool:
        """Whether the method returns the reply itself."""
        return self.answer == _REPLY

    @property
    def code(self) -> Iterator[Code]:
        """All expressions of the result."""
        yield from (found for found in (self.one, self.make, self.items, self.answer) if found)


def makes_entity(shape: Shape, config: MethodConfig) -> bool:
    """Whether a method returns entities."""
    found = shape.kind.makes_entities
    return not config.raw and (bool(config.returns) if found is None else found)


def result(
    api: Api, types: Types, rpc: Method, shape: Shape, config: MethodConfig, made: Made | None, ref: Code
) -> Result:
    """Return what a method returns.

    Args:
        api: All definitions.
        types: The names of types in the entity's module.
        rpc: The RPC.
        shape: The kind of method.
        config: Its settings.
        made: The class of the entities that it returns; None for a method that returns messages.
        ref: The constant of the RPC.
    """
    found = read(shape.items)
    one = made.annotation if made else answer(api, types, rpc, shape, config)
    value: Code | None = found
    if made:
        there = call("existing_reply", found, Name("caller"), ref, Name("request")) if _may_be_nothing(shape) else found
        value = call(Attribute(made.make, "_of"), there, Name("caller"))
    elif len(shape.items) > 1:
        value = call("cast", Literal(str(one)), found)
    elif _is_nothing(api, rpc, shape) or config.missing_ok:
        value = None
    several = bool(shape.items) and shape.items.is_repeated
    return Result(
        one=one,
        container=shape.kind.container,
        make=made.make if made else None,
        items=found if several else Listed(found),
        answer=value,
    )


def answer(api: Api, types: Types, rpc: Method, shape: Shape, config: MethodConfig) -> Code:
    """Return the annotation of a result that is not an entity: the reply, a field of it, or None if it is empty."""
    if config.missing_ok:
        return Name("bool")
    if not shape.items:
        return Name("None") if _is_nothing(api, rpc, shape) else types.message(rpc.response)
    return types.single(shape.items.last) if shape.kind.container else types.whole(shape.items.last)


def read(path: FieldPath) -> Code:
    """Return the expression that reads a path of a reply."""
    if len(path) > 1:
        return call("at_path", _REPLY, Literal(path.python))
    return Attribute(_REPLY, path.last.py_name) if path else _REPLY


def decorator(kind: MethodKind, one: Code) -> str:
    """Return the decorator that makes a method blocking. It differs for methods that return the class that they are called on."""
    return kind.decorator_of_self if one == SELF else kind.decorator


def default_name(rpc: Method, kind: MethodKind) -> str:
    """Return the default name of a method."""
    if kind is STREAM and begins_with(rpc.name, "List"):
        return "listall"
    return kind.method or rpc.py_name.split("_")[0]


def _is_nothing(api: Api, rpc: Method, shape: Shape) -> bool:
    """Whether the reply is empty, so that there is nothing to return."""
    return not shape.items and not shape.kind.container and not api.messages[rpc.response].fields


def _may_be_nothing(shape: Shape) -> bool:
    """Whether a reply without the resource means that the resource does not exist."""
    return shape.kind is GET and bool(shape.items)
