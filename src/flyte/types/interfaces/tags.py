"""Additional information in Flyte types: tags, schemas and class names that SDKs add."""

from collections.abc import Callable
from typing import Any

from flyte.types.data.guards import is_dict, is_list
from flyte.types.data.mismatch import MAX_DEPTH
from flyte_api.messages.flyteidl2.core.types import LiteralType, SimpleType, TypeAnnotation, TypeStructure
from flyte_api.messages.google.protobuf.struct import Struct

# Tags of union variants in other Flyte SDKs, which refuse values with a missing tag.
TAGS = {
    SimpleType.INTEGER: "int",
    SimpleType.FLOAT: "float",
    SimpleType.STRING: "str",
    SimpleType.BOOLEAN: "bool",
    SimpleType.DATETIME: "datetime",
    SimpleType.DURATION: "timedelta",
    SimpleType.NONE: "none",
}
DATE_TAG = "date"
LIST_TAG = "Typed List"
DICT_TAG = "Typed Dict"
UNION_TAG = "Typed Union"
ENUM_TAG = "DefaultEnumTransformer"
DATACLASS_TAG = "Object-Dataclass-Transformer"
MODEL_TAG = "Pydantic Transformer"
# Keyed by the start of their schema's title.
WRAPPER_TAGS = {"Tuple": "Typed Tuple", "NamedTuple": "NamedTuple", "TypedDict": "TypedDict"}
FILE_TAG = "File"
DIR_TAG = "Dir"
FRAME_TAG = "DataFrame Transformer"
# The tag of binaries with plain data.
MSGPACK_TAG = "msgpack"
PICKLE_TAG = "FlytePickle"
PICKLE_FORMAT = "PythonPickle"
# The key for the class name of a pickled value in other SDKs. Ours also uses it for the container of a collection.
CLASS_KEY = "python_class_name"
BYTES_CLASS = "<class 'bytes'>"
RESERVED_TAGS = frozenset(
    {
        *TAGS.values(),
        DATE_TAG,
        LIST_TAG,
        DICT_TAG,
        UNION_TAG,
        ENUM_TAG,
        DATACLASS_TAG,
        MODEL_TAG,
        *WRAPPER_TAGS.values(),
    }
) | {FILE_TAG, DIR_TAG, FRAME_TAG, PICKLE_TAG}
CONTAINERS: dict[str, Callable[[list[Any]], Any]] = {"tuple": tuple, "set": set, "frozenset": frozenset}

_EXACT_IN_DOUBLE = 2**53
_CACHE_KEY = {"cache-key-metadata": {"serialization-format": MSGPACK_TAG}}


def tag_of(literal_type: LiteralType) -> str:
    """Return the structure tag of a type; empty if it has none."""
    return literal_type.structure.tag if literal_type.structure is not None else ""


def by_value(literal_type: LiteralType) -> bool:
    """Whether enums inside a JSON object are encoded by value, as in dataclasses, rather than by name."""
    return tag_of(literal_type) in ("", DATACLASS_TAG)


def class_name(literal_type: LiteralType) -> str:
    """Return the class name in a type's metadata: that of a pickled value, or the container of a collection."""
    if literal_type.metadata is None or literal_type.simple is not None:
        return ""
    name = schema_of(literal_type).get(CLASS_KEY)
    return name if isinstance(name, str) else ""


def is_bytes(literal_type: LiteralType) -> bool:
    """Whether it is the type of `bytes`, which are encoded as a pickle."""
    return literal_type.union_type is not None and class_name(literal_type) == BYTES_CLASS


def container_of(literal_type: LiteralType) -> str:
    """Return the container of a collection, one of `CONTAINERS`; empty for a list."""
    name = class_name(literal_type) if literal_type.collection_type is not None else ""
    return name if name in CONTAINERS else ""


def schema_of(literal_type: LiteralType) -> dict[str, Any]:
    """Return the JSON schema of a type; empty if it has none, or an invalid one."""
    try:
        return read_schema(literal_type)
    except ValueError:
        return {}


def read_schema(literal_type: LiteralType) -> dict[str, Any]:
    """Return the JSON schema of a type; empty if it has none.

    Raises:
        ValueError: The schema is invalid, or nested too deep.
    """
    if literal_type.metadata is None:
        return {}
    return {key: whole(value) for key, value in literal_type.metadata.to_python().items()}


def whole(value: Any, depth: int = 0) -> Any:
    """Convert whole numbers in a JSON value back to `int`, because its message stores all numbers as floats.

    Raises:
        ValueError: The value is nested too deep.
    """
    if depth > MAX_DEPTH:
        raise ValueError(f"it is nested more than {MAX_DEPTH} levels deep")
    if isinstance(value, float) and value.is_integer() and abs(value) <= _EXACT_IN_DOUBLE:
        return int(value)
    if is_list(value):
        return [whole(item, depth + 1) for item in value]
    if is_dict(value):
        return {key: whole(item, depth + 1) for key, item in value.items()}
    return value


def json_type(schema: dict[str, Any] | None = None, tag: str = "") -> LiteralType:
    """Return the Flyte type of JSON objects, with an optional schema."""
    return LiteralType(
        simple=SimpleType.STRUCT,
        metadata=Struct.of(schema) if schema is not None else None,
        annotation=TypeAnnotation(annotations=Struct.of(_CACHE_KEY)),
        structure=TypeStructure(tag=tag) if tag else None,
    )
