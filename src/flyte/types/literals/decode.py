"""Convert Flyte literals to Python values. Nothing is downloaded, or unpickled without the caller's permission."""

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

from flyte.types.converters.calls import class_by, converter_for_tag, value_by
from flyte.types.converters.transformer import TypeTransformerFailedError
from flyte.types.data.mismatch import MAX_DEPTH, Mismatch
from flyte.types.data.msgpack import unpack
from flyte.types.files.references import Dir, File
from flyte.types.frames.reference import DataFrame
from flyte.types.interfaces.enums import Unguessable, enum_class
from flyte.types.interfaces.guess import guess_type
from flyte.types.interfaces.tags import (
    CONTAINERS,
    DATE_TAG,
    MSGPACK_TAG,
    PICKLE_FORMAT,
    by_value,
    container_of,
    tag_of,
    whole,
)
from flyte_api.messages.flyteidl2.core.literals import Binary, Blob, Literal, Scalar, Union
from flyte_api.messages.flyteidl2.core.literals import StructuredDataset as Dataset
from flyte_api.messages.flyteidl2.core.types import (
    BlobType,
    BlobTypeBlobDimensionality,
    LiteralType,
    SimpleType,
    StructuredDatasetType,
)
from flyte_api.messages.google.protobuf.struct import Struct
from flyte_rpc.codec.message import which_one_of
from flyte_rpc.codec.wire import DecodeError

from .pickled_bytes import bytes_of


class Unreadable(Exception):
    """A literal has no Python form. The message has the reason."""


def from_literal(literal: Literal, literal_type: LiteralType | None = None, *, allow_pickle: bool = False) -> Any:
    """Return the Python value of a literal; the literal itself if it has none (see `unsupported_reason`).

    Args:
        literal: The value.
        literal_type: Its declared type, which distinguishes dates from times, enum members from text and whole floats from
            integers. Default: derived from the literal.
        allow_pickle: Load pickled objects. Loading a pickle runs the code inside it.
    """
    try:
        return decode(literal, literal_type, allow_pickle=allow_pickle)
    except Unreadable:
        return literal


def unsupported_reason(literal: Literal, literal_type: LiteralType | None = None) -> str | None:
    """Return why `from_literal` returns the literal itself; None if it returns a Python value."""
    try:
        decode(literal, literal_type)
    except Unreadable as reason:
        return str(reason)
    return None


def decode(literal: Literal, literal_type: LiteralType | None, depth: int = 0, *, allow_pickle: bool = False) -> Any:
    """Convert a literal to a Python value.

    Raises:
        Unreadable: The literal, or a part of it, has no Python form.
    """
    if depth > MAX_DEPTH:
        raise Unreadable(f"it is nested more than {MAX_DEPTH} levels deep")
    converter = converter_for_tag(literal_type)
    if converter is not None and literal_type is not None:
        try:
            return value_by(converter, literal, class_by(converter, literal_type))
        except TypeTransformerFailedError as error:
            raise Unreadable(str(error)) from error
    try:
        kind, inner = which_one_of(literal, "value")
        match kind:
            case "scalar":
                return _scalar(literal, inner, literal_type, depth, allow_pickle)
            case "collection":
                item_type = literal_type.collection_type if literal_type is not None else None
                items = [decode(item, item_type, depth + 1, allow_pickle=allow_pickle) for item in inner.literals]
                return _contained(items, "" if literal_type is None else container_of(literal_type))
            case "map":
                value_type = literal_type.map_value_type if literal_type is not None else None
                return {
                    key: decode(item, value_type, depth + 1, allow_pickle=allow_pickle)
                    for key, item in inner.literals.items()
                }
            case "offloaded_metadata":
                raise Unreadable(f"it is stored at {inner.uri}, {inner.size_bytes} bytes; it is not downloaded")
            case _:
                raise Unreadable("it is empty")
    except DecodeError as error:
        raise Unreadable(f"it is damaged: {error}") from None


def _contained(items: list[Any], container: str) -> Any:
    try:
        return CONTAINERS[container](items) if container else items
    except TypeError:
        raise Unreadable(f"it contains values that cannot be in a {container}") from None


def _scalar(literal: Literal, scalar: Scalar, literal_type: LiteralType | None, depth: int, allow_pickle: bool) -> Any:
    kind, inner = which_one_of(scalar, "value")
    match kind:
        case "primitive":
            member, value = which_one_of(inner, "value")
            return _primitive(member, value, literal_type)
        case "none_type":
            return None
        case "generic":
            return _as_declared(_json(inner), literal_type)
        case "binary":
            return _binary(inner, literal_type, allow_pickle)
        case "union":
            return _union(inner, depth, allow_pickle)
        case "blob":
            return _blob(inner, literal.hash, literal_type, allow_pickle)
        case "structured_dataset":
            return _dataset(inner, literal.hash, literal_type)
        case "schema":
            raise Unreadable(f"it is a table at {inner.uri}; it is not downloaded")
        case "error":
            raise Unreadable(f"it is an error: {inner.message}")
        case _:
            raise Unreadable("it is empty")


def _json(struct: Struct) -> Any:
    try:
        return whole(struct.to_python())
    except ValueError as error:
        raise Unreadable(f"it is not readable JSON: {error}") from None


def _union(union: Union, depth: int, allow_pickle: bool) -> Any:
    if union.value is None:
        raise Unreadable("it is empty")
    return decode(union.value, union.type, depth + 1, allow_pickle=allow_pickle)


def _primitive(member: str, value: Any, literal_type: LiteralType | None) -> Any:
    if not member:
        raise Unreadable("it is empty")
    read = _READ.get(member)
    found = read(value) if read is not None else value
    if literal_type is None:
        return found
    kind, inner = which_one_of(literal_type, "type")
    if kind == "enum_type" and isinstance(found, str):
        if found not in inner.values:
            raise Unreadable(f"{found!r} is not among the values of its enum")
        return enum_class(tuple(inner.values))(found)
    if kind == "simple":
        # Web forms have only one kind of number.
        if inner == SimpleType.INTEGER and isinstance(found, float) and found.is_integer():
            return int(found)
        if inner == SimpleType.FLOAT and isinstance(found, int) and not isinstance(found, bool):
            return float(found)
        if inner == SimpleType.DATETIME and isinstance(found, dt.datetime) and tag_of(literal_type) == DATE_TAG:
            return found.date()
    return found


def _moment(value: Any) -> dt.datetime:
    try:
        moment: dt.datetime = value.to_datetime()
    except ValueError as error:
        raise Unreadable(str(error)) from None
    return moment


def _span(value: Any) -> dt.timedelta:
    try:
        span: dt.timedelta = value.to_timedelta()
    except ValueError as error:
        raise Unreadable(str(error)) from None
    return span


_READ: Mapping[str, Callable[[Any], Any]] = {"datetime": _moment, "duration": _span}


def _binary(binary: Binary, literal_type: LiteralType | None, allow_pickle: bool) -> Any:
    if binary.tag != MSGPACK_TAG:
        held = bytes_of(bytes(binary.value))
        return held if held is not None else _unpickled(lambda: bytes(binary.value), allow_pickle)
    try:
        data = unpack(bytes(binary.value))
    except ValueError as error:
        raise Unreadable(f"it is not readable MessagePack: {error}") from None
    return _as_declared(data, literal_type)


def _as_declared(data: Any, literal_type: LiteralType | None) -> Any:
    """Convert plain data to an instance of the class in the declared schema; return it unchanged without a schema."""
    if literal_type is None or literal_type.metadata is None or literal_type.simple != SimpleType.STRUCT:
        return data
    from flyte.types.data.load import Mode, load

    try:
        return load(data, guess_type(literal_type), Mode(by_name=not by_value(literal_type)))
    except Unguessable:
        return data
    except Mismatch as mismatch:
        raise Unreadable(f"it does not fit its declared type: {mismatch}") from None


def _blob(blob: Blob, content_hash: str, literal_type: LiteralType | None, allow_pickle: bool) -> Any:
    declared = literal_type.blob if literal_type is not None else None
    kind = blob.metadata.type if blob.metadata is not None else None
    kind = kind or declared or BlobType()
    if kind.format == PICKLE_FORMAT:
        return _unpickled(lambda: _contents(File(blob.uri)), allow_pickle)
    made = Dir if kind.dimensionality == BlobTypeBlobDimensionality.MULTIPART else File
    return made(blob.uri, kind.format, content_hash or None)


def _contents(file: File) -> bytes:
    with file.open() as opened:
        data: bytes = opened.read()
    return data


def _dataset(dataset: Dataset, content_hash: str, literal_type: LiteralType | None) -> DataFrame:
    declared = literal_type.structured_dataset_type if literal_type is not None else None
    kind = dataset.metadata.structured_dataset_type if dataset.metadata is not None else None
    kind = kind or declared or StructuredDatasetType()
    columns = kind.columns or (declared.columns if declared is not None else [])
    types = {each.name: _column(each.literal_type) for each in columns}
    return DataFrame(dataset.uri, kind.format, types, content_hash or None)


def _column(literal_type: LiteralType | None) -> Any:
    try:
        return guess_type(literal_type or LiteralType())
    except Unguessable:
        return Any


def _unpickled(read: Callable[[], bytes], allow_pickle: bool) -> Any:
    if not allow_pickle:
        raise Unreadable("it is pickled, and loading a pickle can run any code; pass allow_pickle=True to load it")
    import pickle

    try:
        return pickle.loads(read())
    except Exception as error:  # Pickles run code, which may fail in any way.
        raise Unreadable(f"it is pickled and cannot be loaded: {type(error).__name__}: {error}") from error
