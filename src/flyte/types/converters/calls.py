"""Calls of converters. Their results are checked, and their errors name them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any

from flyte_api.messages.flyteidl2.core.literals import Literal
from flyte_api.messages.flyteidl2.core.types import LiteralType, SimpleType, TypeStructure
from flyte_rpc.codec.message import which_one_of

from .registry import converter_named, is_empty
from .transformer import TypeTransformer, TypeTransformerFailedError

_PRIMITIVES = {
    SimpleType.INTEGER: "integer",
    SimpleType.FLOAT: "float_value",
    SimpleType.STRING: "string_value",
    SimpleType.BOOLEAN: "boolean",
    SimpleType.DATETIME: "datetime",
    SimpleType.DURATION: "duration",
}
_SCALARS = {
    SimpleType.NONE: ("none_type",),
    SimpleType.STRUCT: ("binary", "generic"),
    SimpleType.BINARY: ("binary",),
    SimpleType.ERROR: ("error",),
}


def type_by(transformer: TypeTransformer[Any], kind: type) -> LiteralType:
    """Return the type that a converter stores a class as. Its tag is the converter's name, unless it has another.

    Raises:
        TypeTransformerFailedError: The converter raised an error, or returned something else.
    """
    # A copy, because types are mutable.
    return LiteralType.parse(_type_by(transformer, kind))


@lru_cache(maxsize=256)
def _type_by(transformer: TypeTransformer[Any], kind: type) -> bytes:
    found: object = _call(transformer, "get_literal_type", transformer.get_literal_type, kind)
    if not isinstance(found, LiteralType):
        raise _wrong(transformer, "get_literal_type", "a LiteralType", found)
    if not which_one_of(found, "type")[0]:
        raise TypeTransformerFailedError(f"{transformer!r}: get_literal_type returned an empty LiteralType")
    if found.structure is None or not found.structure.tag:
        # Not in place, because the converter may return the same object each time.
        found = LiteralType.parse(bytes(found))
        found.structure = TypeStructure(tag=transformer.name)
    return bytes(found)


def class_by(transformer: TypeTransformer[Any], literal_type: LiteralType) -> type:
    """Return the class of values of a type, as its converter says.

    Raises:
        TypeTransformerFailedError: The converter raised an error, or returned something else.
    """
    found: object = _call(transformer, "guess_python_type", transformer.guess_python_type, literal_type)
    if not isinstance(found, type):
        raise _wrong(transformer, "guess_python_type", "a class", found)
    return found


def literal_by(transformer: TypeTransformer[Any], value: Any, expected: LiteralType) -> Literal:
    """Convert a value to a literal.

    Raises:
        TypeTransformerFailedError: The converter raised an error, or its result does not fit the type.
    """
    found: object = _call(transformer, "to_literal", transformer.to_literal, value, type(value), expected)
    if not isinstance(found, Literal):
        raise _wrong(transformer, "to_literal", "a Literal", found)
    if problem := _problem(found, expected):
        raise TypeTransformerFailedError(f"{transformer!r}: to_literal returned a literal of another type: {problem}")
    return found


def value_by(transformer: TypeTransformer[Any], literal: Literal, kind: type) -> Any:
    """Convert a literal to an instance of a class.

    Raises:
        TypeTransformerFailedError: The converter raised an error, or returned something else.
    """
    found: object = _call(transformer, "to_python_value", transformer.to_python_value, literal, kind)
    if not isinstance(found, kind):
        raise _wrong(transformer, "to_python_value", kind.__name__, found)
    return found


def accepts(transformer: TypeTransformer[Any], kind: type, expected: LiteralType) -> bool:
    """Whether the literals of a converter fit a declared type: the same kind, and the same tag or none."""
    own = type_by(transformer, kind)
    name, inner = which_one_of(own, "type")
    wanted, inner_wanted = which_one_of(expected, "type")
    if name != wanted or (name == "simple" and inner != inner_wanted):
        return False
    tag = expected.structure.tag if expected.structure is not None else ""
    return tag in ("", transformer.name) or (own.structure is not None and tag == own.structure.tag)


def converter_for_tag(literal_type: LiteralType | None) -> TypeTransformer[Any] | None:
    """Return the converter that a type names; None if it names none, or one that is not registered."""
    # The first check is for speed: every part of a value gets here.
    if is_empty() or literal_type is None or literal_type.structure is None:
        return None
    return converter_named(literal_type.structure.tag)


def _call(transformer: TypeTransformer[Any], name: str, method: Callable[..., Any], *arguments: Any) -> Any:
    try:
        found = method(*arguments)
        return wait_for(found) if hasattr(found, "__await__") else found
    except TypeTransformerFailedError:
        # Of a converter that this one uses, or its own choice.
        raise
    except Exception as error:
        raise TypeTransformerFailedError(f"{transformer!r}: {name} failed: {type(error).__name__}: {error}") from error


def wait_for(result: Awaitable[Any]) -> Any:
    """Run an awaitable to its end, on an event loop of its own, and block. Also works inside a running loop."""

    # Imported late: most conversions are synchronous, and a worker should start fast.
    import asyncio
    import threading
    from contextvars import copy_context

    async def wait() -> Any:
        return await result

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(wait())
    # A loop cannot run another one, so the conversion needs a thread.
    outcome: list[Any] = []
    failures: list[BaseException] = []

    def work() -> None:
        try:
            outcome.append(asyncio.run(wait()))
        except BaseException as error:  # Raised again in the caller's thread.
            failures.append(error)

    thread = threading.Thread(target=copy_context().run, args=(work,), name="flyte-converter")
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    return outcome[0]


def _wrong(transformer: TypeTransformer[Any], method: str, expected: str, found: object) -> TypeTransformerFailedError:
    return TypeTransformerFailedError(f"{transformer!r}: {method} returned {_named(found)}, not {expected}")


def _named(value: object) -> str:
    return "None" if value is None else f"an instance of {type(value).__name__}"


def _problem(literal: Literal, expected: LiteralType) -> str:
    """Return how a literal differs from a type; empty if it does not."""
    kind, inner = which_one_of(expected, "type")
    member, value = which_one_of(literal, "value")
    match kind:
        case "collection_type":
            parts = value.literals if member == "collection" else None
        case "map_value_type":
            parts = [*value.literals.values()] if member == "map" else None
        case _:
            return _scalar_problem(literal, kind, inner)
    if parts is None:
        return f"expected a {'list' if kind == 'collection_type' else 'map'}, got {member or 'nothing'}"
    return next(filter(None, (_problem(part, inner) for part in parts)), "")


def _scalar_problem(literal: Literal, kind: str, inner: Any) -> str:
    if literal.scalar is None:
        return f"expected a scalar, got {which_one_of(literal, 'value')[0] or 'nothing'}"
    member, value = which_one_of(literal.scalar, "value")
    if member == "primitive":
        member = which_one_of(value, "value")[0]
    allowed: tuple[str, ...]
    match kind:
        case "simple":
            allowed = (_PRIMITIVES[inner],) if inner in _PRIMITIVES else _SCALARS.get(inner, ())
        case "enum_type":
            allowed = ("string_value",)
        case "union_type":
            allowed = ("union",)
        case "structured_dataset_type":
            allowed = ("structured_dataset",)
        case _:
            allowed = (kind,)
    if member not in allowed:
        return f"expected {' or '.join(allowed) or kind}, got {member or 'nothing'}"
    if kind == "enum_type" and value.string_value not in inner.values:
        return f"{value.string_value!r} is not among the values of the enum"
    return ""
