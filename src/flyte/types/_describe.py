"""Flyte types in the words of Python annotations."""

from flyte.runtime.message import which_one_of
from flyte_api.messages.flyteidl2.core.types import BlobTypeBlobDimensionality, LiteralType, SimpleType

# Tags that other Flyte SDKs put on the variants of a union; one that is missing makes them refuse the value.
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
# Ours: a binary with this tag holds the very bytes, and nothing that needs unpickling.
BYTES_TAG = "bytes"
# Other SDKs': a binary with this tag holds plain data.
MSGPACK_TAG = "msgpack"

_SIMPLE = {
    SimpleType.INTEGER: "int",
    SimpleType.FLOAT: "float",
    SimpleType.STRING: "str",
    SimpleType.BOOLEAN: "bool",
    SimpleType.DATETIME: "datetime",
    SimpleType.DURATION: "timedelta",
    SimpleType.NONE: "None",
    SimpleType.STRUCT: "dict",
    SimpleType.BINARY: "a pickled object",
    SimpleType.ERROR: "an error",
}


def tag_of(literal_type: LiteralType) -> str:
    """The structure tag of a type; empty when it has none."""
    return literal_type.structure.tag if literal_type.structure is not None else ""


def describe(literal_type: LiteralType, *, depth: int = 0) -> str:
    """A type as an error message names it, such as `list[int] | None`; nested deeper than 10 levels as `...`."""
    if depth > 10:
        return "..."
    kind, inner = which_one_of(literal_type, "type")
    match kind:
        case "simple":
            if tag_of(literal_type) in (DATE_TAG, BYTES_TAG):
                return tag_of(literal_type)
            return _SIMPLE.get(inner, f"an unknown type ({int(inner)})")
        case "collection_type":
            return f"list[{describe(inner, depth=depth + 1)}]"
        case "map_value_type":
            return f"dict[str, {describe(inner, depth=depth + 1)}]"
        case "enum_type":
            return f"one of {', '.join(map(repr, inner.values))}"
        case "union_type":
            return " | ".join(describe(variant, depth=depth + 1) for variant in inner.variants) or "a union of nothing"
        case "blob":
            return "a directory" if inner.dimensionality == BlobTypeBlobDimensionality.MULTIPART else "a file"
        case "structured_dataset_type":
            return "a data frame"
        case "schema":
            return "a table"
        case _:
            return "a value of unknown type"
