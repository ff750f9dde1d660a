"""Convert Python values to Flyte literals. Strict, so that mistakes show here and not in a container an hour later."""

import datetime as dt
import enum
from collections.abc import Callable, Mapping
from typing import Any

from flyte.types.converters.calls import converter_for_tag, type_by
from flyte.types.converters.registry import converter_of
from flyte.types.data.custom import as_stored
from flyte.types.data.guards import class_of, is_container, is_list, is_mapping, is_set, is_tuple
from flyte.types.data.mismatch import (
    MAX_DEPTH,
    Mismatch,
    advice_on,
    encodable,
    first_fit,
    how_to_store,
    located,
    type_of,
)
from flyte.types.data.msgpack import pack
from flyte.types.data.scalars import as_scalar, check_moment, check_span
from flyte.types.files.references import Dir, File, absolute_uri
from flyte.types.frames.errors import FrameError
from flyte.types.frames.libraries import ARRAY_FORMAT, frame_library, is_array_class
from flyte.types.frames.reference import DataFrame
from flyte.types.interfaces.describe import describe
from flyte.types.interfaces.tags import (
    DATE_TAG,
    MSGPACK_TAG,
    PICKLE_TAG,
    by_value,
    container_of,
    is_bytes,
    schema_of,
    tag_of,
)
from flyte_api.messages.flyteidl2.core.literals import (
    Binary,
    Blob,
    BlobMetadata,
    Literal,
    LiteralCollection,
    LiteralMap,
    Primitive,
    Scalar,
    StructuredDatasetMetadata,
    Union,
    Void,
)
from flyte_api.messages.flyteidl2.core.literals import StructuredDataset as Dataset
from flyte_api.messages.flyteidl2.core.types import (
    BlobType,
    BlobTypeBlobDimensionality,
    LiteralType,
    SimpleType,
    StructuredDatasetType,
)
from flyte_api.messages.google.protobuf.duration import Duration
from flyte_api.messages.google.protobuf.timestamp import Timestamp
from flyte_rpc.codec.message import which_one_of

from .pickled_bytes import pickled

_INT64 = range(-(2**63), 2**63)
# Larger integers may have no exact double.
_EXACT_IN_DOUBLE = 2**53
_MULTIPART = BlobTypeBlobDimensionality.MULTIPART
_LONGEST = dt.timedelta(days=3652500)


def to_literal(value: Any, literal_type: LiteralType, *, name: str) -> Literal:
    """Convert a Python value to a literal.

    An `int` is accepted for a float if the conversion is exact. Scalars of NumPy, and other objects with `__index__` or
    `__float__`, are accepted for the number that they stand for. No other value is converted. A `Literal`, such as an
    output of another run, is passed on unchanged. Data frames and arrays in memory are stored first, which blocks, and may
    raise an `OSError` or an `RpcError`.

    Args:
        value: The value.
        literal_type: The expected type.
        name: The name of the value in errors, usually that of an input.

    Raises:
        TypeError: The value has another type.
        ValueError: The value has the right type but cannot be encoded: an integer beyond 64 bits, a datetime without a
            time zone, text with lone surrogates.
    """
    try:
        _check_depth(literal_type)
        return _encode(value, literal_type, exact=False)
    except Mismatch as mismatch:
        raise mismatch.as_error(name) from mismatch.__cause__


def _check_depth(literal_type: LiteralType) -> None:
    """Refuse types that are nested too deep. Types are untrusted, and Python's recursion is limited."""
    level = [literal_type]
    for _ in range(MAX_DEPTH + 1):
        kinds = [which_one_of(each, "type") for each in level]
        level = [inner for kind, inner in kinds if kind in ("collection_type", "map_value_type")]
        level += [variant for kind, inner in kinds if kind == "union_type" for variant in inner.variants]
        if not level:
            return
    raise Mismatch(f"its type is nested more than {MAX_DEPTH} levels deep")


def _encode(value: Any, literal_type: LiteralType, *, exact: bool) -> Literal:
    if isinstance(value, Literal):
        return value
    if (converter := converter_of(type(value))) is not None:
        converted = as_stored(converter, value, literal_type)
        if converted is not None:
            return converted
    elif exact and converter_for_tag(literal_type) is not None:
        # Another variant of a union may be for the plain value.
        raise _mismatch(value, literal_type)
    kind, inner = which_one_of(literal_type, "type")
    match kind:
        case "simple" if inner in _SIMPLE:
            return Literal(scalar=_SIMPLE[inner](value, literal_type, exact))
        case "collection_type":
            return Literal(collection=LiteralCollection(literals=_items(value, literal_type, inner, exact)))
        case "map_value_type" if is_mapping(value):
            entries = {
                _key(key): located(f"[{key!r}]", _encode, item, inner, exact=exact) for key, item in value.items()
            }
            return Literal(map=LiteralMap(literals=entries))
        case "enum_type":
            return Literal(scalar=Scalar(primitive=Primitive(string_value=_enum(value, literal_type, exact))))
        case "union_type" if is_bytes(literal_type):
            if not isinstance(value, bytes | bytearray):
                raise _mismatch(value, literal_type)
            return Literal(scalar=Scalar(binary=Binary(value=pickled(bytes(value)))))
        case "union_type" if inner.variants and all(tag_of(each) == PICKLE_TAG for each in inner.variants):
            raise _unpickled(literal_type)
        case "union_type":
            return _union(value, literal_type, inner.variants)
        case "blob" if isinstance(value, Dir if inner.dimensionality == _MULTIPART else File):
            made = BlobType(format=value.format, dimensionality=inner.dimensionality)
            blob = Blob(uri=_uri(value), metadata=BlobMetadata(type=made))
            return Literal(scalar=Scalar(blob=blob), hash=value.hash or "")
        case "blob" if inner.format == ARRAY_FORMAT and is_array_class(type(value)):
            return _encode(_stored_array(value), literal_type, exact=exact)
        case "structured_dataset_type" if isinstance(value, DataFrame) or frame_library(type(value)):
            return _frame(value, inner)
        case _:
            raise _mismatch(value, literal_type)


def _stored_array(value: Any) -> File:
    # Imported late, because most workers and clients have no arrays.
    from flyte.types.frames.arrays import store_array

    try:
        return store_array(value)
    except FrameError as error:
        raise Mismatch(str(error), fits_type=True) from error.__cause__


def _frame(value: Any, declared: StructuredDatasetType) -> Literal:
    """Encode a data frame; store it first if it is in memory."""
    frame = value if isinstance(value, DataFrame) else DataFrame.from_df(value)
    try:
        frame.check_columns([each.name for each in declared.columns])
        frame = frame.stored(declared.format)
    except FrameError as error:
        raise Mismatch(str(error), fits_type=True) from error.__cause__
    made = StructuredDatasetType(
        format=frame.format,
        columns=declared.columns,
        external_schema_type=declared.external_schema_type,
        external_schema_bytes=declared.external_schema_bytes,
    )
    dataset = Dataset(uri=_uri(frame), metadata=StructuredDatasetMetadata(structured_dataset_type=made))
    return Literal(scalar=Scalar(structured_dataset=dataset), hash=frame.hash or "")


def _items(value: Any, literal_type: LiteralType, item_type: LiteralType, exact: bool) -> list[Literal]:
    container = container_of(literal_type)
    if is_tuple(value) if container == "tuple" else is_list(value) if not container else False:
        return [located(f"[{i}]", _encode, item, item_type, exact=exact) for i, item in enumerate(value)]
    if container in ("set", "frozenset") and is_set(value):
        # Sets are unordered, but equal sets must give equal literals, for caches.
        return sorted((located("{...}", _encode, item, item_type, exact=exact) for item in value), key=bytes)
    raise _mismatch(value, literal_type)


def _mismatch(value: Any, literal_type: LiteralType) -> Mismatch:
    hint = ""
    if literal_type.collection_type is not None and is_container(value) and not is_mapping(value):
        hint = f"; write {container_of(literal_type) or 'list'}(...) around it"
    elif isinstance(value, dt.date) and not isinstance(value, dt.datetime) and describe(literal_type) == "datetime":
        hint = "; pass a datetime with a time zone"
    elif made := _stored(literal_type):
        hint = f"; {how_to_store(made)}"
    elif literal_type.structured_dataset_type is not None:
        hint = "; pass a DataFrame of flyte.io, a pandas or polars frame, a pyarrow table, or the literal of another run's output"
    elif which_one_of(literal_type, "type")[0] in ("schema", ""):
        hint = "; pass the literal of another run's output"
    kind = class_of(value)
    if (converter := converter_of(kind)) is not None:
        own = type_by(converter, kind)
        own.structure = None  # Its tag would be described as the class.
        hint = f", which its converter stores as {describe(own)}"
    if advice := advice_on(value):
        return Mismatch.between(describe(literal_type), f"{value!r}; {advice}")
    return Mismatch.between(describe(literal_type), type_of(value) + hint)


def _stored(literal_type: LiteralType) -> str:
    """Return the class of files that a type, or one of its variants, accepts; empty if none."""
    union = literal_type.union_type
    for each in [literal_type] if union is None else union.variants:
        if each.blob is not None:
            return "Dir" if each.blob.dimensionality == _MULTIPART else "File"
    return ""


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise Mismatch.between("keys that are str", type(key).__name__)
    return encodable(key)


def _uri(value: File | Dir | DataFrame) -> str:
    if not value.uri:
        raise Mismatch(f"the {type(value).__name__} has an empty URI", fits_type=True)
    return absolute_uri(encodable(value.uri))


def _integer(value: Any, literal_type: LiteralType, exact: bool) -> Scalar:
    value = as_scalar(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise _mismatch(value, literal_type)
    if value not in _INT64:
        raise Mismatch(f"an int must fit into 64 bits, this one takes {value.bit_length() + 1}", fits_type=True)
    return Scalar(primitive=Primitive(integer=int(value)))


def _float(value: Any, literal_type: LiteralType, exact: bool) -> Scalar:
    value = as_scalar(value)
    if isinstance(value, int) and not isinstance(value, bool) and not exact:
        if abs(value) > _EXACT_IN_DOUBLE:
            raise Mismatch("this int has no exact float; convert it with float() to round it", fits_type=True)
        return Scalar(primitive=Primitive(float_value=float(value)))
    if not isinstance(value, float):
        raise _mismatch(value, literal_type)
    return Scalar(primitive=Primitive(float_value=float(value)))


def _string(value: Any, literal_type: LiteralType, exact: bool) -> Scalar:
    if not isinstance(value, str):
        raise _mismatch(value, literal_type)
    return Scalar(primitive=Primitive(string_value=encodable(value)))


def _boolean(value: Any, literal_type: LiteralType, exact: bool) -> Scalar:
    value = as_scalar(value)
    if not isinstance(value, bool):
        raise _mismatch(value, literal_type)
    return Scalar(primitive=Primitive(boolean=value))


def _datetime(value: Any, literal_type: LiteralType, exact: bool) -> Scalar:
    if tag_of(literal_type) == DATE_TAG:
        if not isinstance(value, dt.date) or isinstance(value, dt.datetime):
            raise _mismatch(value, literal_type)
        value = dt.datetime(value.year, value.month, value.day, tzinfo=dt.UTC)
    if not isinstance(value, dt.datetime):
        raise _mismatch(value, literal_type)
    check_moment(value)
    try:
        moment = value.astimezone(dt.UTC)
    except OverflowError:
        raise Mismatch("the datetime is outside the years 1 to 9999 in UTC", fits_type=True) from None
    return Scalar(primitive=Primitive(datetime=Timestamp.of(moment)))


def _duration(value: Any, literal_type: LiteralType, exact: bool) -> Scalar:
    if not isinstance(value, dt.timedelta):
        raise _mismatch(value, literal_type)
    check_span(value)
    if abs(value) > _LONGEST:
        raise Mismatch("a timedelta must be within 10,000 years", fits_type=True)
    return Scalar(primitive=Primitive(duration=Duration.of(value)))


def _none(value: Any, literal_type: LiteralType, exact: bool) -> Scalar:
    if value is not None:
        raise _mismatch(value, literal_type)
    return Scalar(none_type=Void())


def _binary(value: Any, literal_type: LiteralType, exact: bool) -> Scalar:
    raise _unpickled(literal_type)


def _unpickled(literal_type: LiteralType) -> Mismatch:
    return Mismatch(
        f"the task expects {describe(literal_type)}, which this client cannot encode; pass the literal of another run's "
        "output, or annotate the task's input with a type that needs no pickling"
    )


def _struct(value: Any, literal_type: LiteralType, exact: bool) -> Scalar:
    # Imported late, because many workers and clients have none of these values.
    from flyte.types.data.classes import is_data_instance
    from flyte.types.data.dump import Dumper

    if literal_type.metadata is not None:
        schema = schema_of(literal_type)
        data = Dumper(schema, by_name=not by_value(literal_type)).dump(value, schema, exact=exact)
    elif is_mapping(value) or (is_data_instance(value) and not exact):
        data = Dumper({}).dump(value, {})
    else:
        raise _mismatch(value, literal_type)
    return Scalar(binary=Binary(value=pack(data), tag=MSGPACK_TAG))


_SIMPLE: Mapping[int, Callable[[Any, LiteralType, bool], Scalar]] = {
    SimpleType.INTEGER: _integer,
    SimpleType.FLOAT: _float,
    SimpleType.STRING: _string,
    SimpleType.BOOLEAN: _boolean,
    SimpleType.DATETIME: _datetime,
    SimpleType.DURATION: _duration,
    SimpleType.NONE: _none,
    SimpleType.BINARY: _binary,
    SimpleType.STRUCT: _struct,
}


def _enum(value: Any, literal_type: LiteralType, exact: bool) -> str:
    """Return the encoded string of an enum member, of our enum or the caller's: its name, else its value."""
    allowed = literal_type.enum_type.values if literal_type.enum_type is not None else []
    if isinstance(value, enum.Enum):
        for candidate in (value.name, value.value):
            if isinstance(candidate, str) and candidate in allowed:
                return str.__str__(candidate)
        raise Mismatch.between(describe(literal_type), f"{type(value).__name__}.{value.name}")
    if isinstance(value, str) and not exact:
        if value in allowed:
            return value
        raise Mismatch.between(describe(literal_type), repr(value[:40]))
    raise _mismatch(value, literal_type)


def _union(value: Any, literal_type: LiteralType, variants: list[LiteralType]) -> Literal:
    """Convert with the first variant that accepts the value unchanged, else with the first that converts it."""

    def encode_as(variant: tuple[LiteralType, bool]) -> Literal:
        literal = _encode(value, variant[0], exact=variant[1])
        return Literal(scalar=Scalar(union=Union(value=literal, type=variant[0])))

    candidates = [(variant, exact) for exact in (True, False) for variant in variants]
    return first_fit(candidates, encode_as, lambda: _mismatch(value, literal_type))
