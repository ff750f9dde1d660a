"""Convert literals to the caller's own types, for arguments of task functions and for `as_types`."""

import dataclasses
import enum
import types
import typing
from typing import Any

from flyte.types.converters.calls import type_by
from flyte.types.data.custom import converter_of_hint, read_stored
from flyte.types.data.hints import DICTS, LISTS, SETS, TUPLES, plain, type_name
from flyte.types.data.mismatch import Mismatch, first_fit, located
from flyte.types.files.references import File
from flyte.types.frames.errors import FrameError
from flyte.types.frames.libraries import ARRAY_FORMAT, is_array_class
from flyte.types.frames.reference import DataFrame
from flyte.types.interfaces.annotations import literal_type_of, tagged
from flyte.types.interfaces.columns import columns_of, is_frame
from flyte.types.interfaces.tags import CONTAINERS, MSGPACK_TAG, by_value, container_of, schema_of, tag_of
from flyte_api.messages.flyteidl2.core.literals import Literal
from flyte_api.messages.flyteidl2.core.types import LiteralType
from flyte_rpc.codec.message import which_one_of

from .decode import Unreadable, decode


def read_as(literal: Literal, hint: Any, *, allow_pickle: bool = False) -> Any:
    """Convert a literal to a value of an annotated type.

    Args:
        literal: The value.
        hint: The annotation.
        allow_pickle: Load pickled objects.

    Raises:
        Mismatch: The literal has another type.
        Unreadable: The literal has no Python form.
        TypeError: The annotation has no Flyte type.
    """
    if is_frame(hint):
        return _frame(literal, hint, allow_pickle)
    hint = plain(hint)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if is_array_class(hint):
        return _array(literal, hint, allow_pickle)
    if hint in (Any, object):
        return decode(literal, None, allow_pickle=allow_pickle)
    if origin in (typing.Union, types.UnionType):
        return _one_of(literal, hint, arguments, allow_pickle)
    custom = converter_of_hint(hint)
    if custom is not None and type_by(*custom).union_type is not None:
        return read_stored(*custom, literal)
    literal = _unwrapped(literal)
    if custom is not None:
        return read_stored(*custom, literal)
    if literal.collection is not None and _is_collection(origin, arguments):
        items = [
            located(f"[{i}]", read_as, each, arguments[0], allow_pickle=allow_pickle)
            for i, each in enumerate(literal.collection.literals)
        ]
        try:
            return items if origin in LISTS else CONTAINERS[origin.__name__](items)
        except TypeError:
            raise Mismatch.between(type_name(hint), "items that cannot be in a set") from None
    if literal.map is not None and origin in DICTS and plain(arguments[0]) is str:
        return {
            key: located(f"[{key!r}]", read_as, item, arguments[1], allow_pickle=allow_pickle)
            for key, item in literal.map.literals.items()
        }
    if _is_data(literal):
        from flyte.types.data.load import Mode, load

        return load(decode(literal, None), hint, Mode(by_name=not by_value(literal_type_of(hint))))
    return _as_annotated(decode(literal, literal_type_of(hint), allow_pickle=allow_pickle), hint)


def _frame(literal: Literal, hint: Any, allow_pickle: bool) -> Any:
    """Convert a literal to a data frame of the annotated class, or to a reference if that is the class."""
    kind = plain(hint)
    found = decode(_unwrapped(literal), None, allow_pickle=allow_pickle)
    if type(found) is kind and kind is not DataFrame:  # It was pickled.
        return found
    if not isinstance(found, DataFrame):
        raise Mismatch.between(type_name(kind), type_name(type(found)))
    if columns := columns_of(hint):
        found = dataclasses.replace(found, columns=columns)
    if kind is DataFrame:
        return found
    try:
        return found.read(kind)
    except (FrameError, OSError) as error:
        raise Unreadable(str(error)) from error


def _array(literal: Literal, hint: Any, allow_pickle: bool) -> Any:
    found = decode(_unwrapped(literal), None, allow_pickle=allow_pickle)
    if is_array_class(type(found)):  # It was pickled.
        return found
    if not isinstance(found, File) or found.format not in ("", ARRAY_FORMAT):
        got = f"a file of format {found.format!r}" if isinstance(found, File) else type_name(type(found))
        raise Mismatch.between("numpy.ndarray", got)
    from flyte.types.frames.arrays import read_array

    try:
        return read_array(found)
    except (FrameError, OSError) as error:
        raise Unreadable(str(error)) from error


def _unwrapped(literal: Literal) -> Literal:
    """Return the value of a union: if the annotation is not a union, the value must be this variant."""
    while literal.scalar is not None and literal.scalar.union is not None and literal.scalar.union.value is not None:
        literal = literal.scalar.union.value
    return literal


def _is_collection(origin: Any, arguments: tuple[Any, ...]) -> bool:
    return origin in LISTS or origin in SETS or (origin in TUPLES and arguments[1:] == (...,))


def _is_data(literal: Literal) -> bool:
    """Whether a literal contains JSON-like data, in either form."""
    scalar = literal.scalar
    if scalar is None:
        return False
    return scalar.generic is not None or (scalar.binary is not None and scalar.binary.tag == MSGPACK_TAG)


def _one_of(literal: Literal, hint: Any, arguments: tuple[Any, ...], allow_pickle: bool) -> Any:
    """Convert the value of a union: to the variant that its writer named, else to the first that fits."""
    value, named = literal, None
    if literal.scalar is not None and literal.scalar.union is not None and literal.scalar.union.value is not None:
        value, named = literal.scalar.union.value, literal.scalar.union.type
    unreadable: list[Unreadable] = []

    def read_variant(argument: Any) -> Any:
        try:
            return read_as(value, argument, allow_pickle=allow_pickle)
        except Unreadable as reason:
            unreadable.append(reason)
            raise Mismatch(str(reason)) from None

    def mismatch() -> Mismatch:
        return Mismatch.between(type_name(hint), type_name(type(decode(value, None, allow_pickle=allow_pickle))))

    try:
        return first_fit(sorted(arguments, key=lambda each: not _is_named(each, named)), read_variant, mismatch)
    except Mismatch:
        if unreadable:
            raise unreadable[0] from None
        raise


def _is_named(argument: Any, named: LiteralType | None) -> bool:
    if named is None:
        return False
    variant = tagged(argument)
    if tag_of(variant) != tag_of(named) or container_of(variant) != container_of(named):
        return False
    if variant.simple is not None:
        return variant.simple == named.simple and schema_of(variant).get("title") == schema_of(named).get("title")
    return which_one_of(variant, "type") == which_one_of(named, "type")


def _as_annotated(value: Any, hint: Any) -> Any:
    """Convert a decoded value to a plain type, a Literal or an enum."""
    if typing.get_origin(hint) is typing.Literal:
        text = value.value if isinstance(value, enum.Enum) else value
        if text in typing.get_args(hint):
            return text
    elif isinstance(hint, type) and issubclass(hint, enum.Enum):
        if isinstance(value, enum.Enum) and value.value in hint.__members__:
            return hint[value.value]
    elif hint is None or hint is type(None):
        if value is None:
            return None
    # Exact types only: `bool` is a subclass of `int`, and `datetime` of `date`.
    elif type(value) is hint:
        return value
    raise Mismatch.between(type_name(hint), type_name(type(value)))
