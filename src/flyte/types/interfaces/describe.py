"""Describe Flyte types in the syntax of Python annotations."""

from flyte.types.converters.calls import converter_for_tag
from flyte.types.frames.libraries import ARRAY_FORMAT
from flyte_api.messages.flyteidl2.core.types import BlobTypeBlobDimensionality, LiteralType, SimpleType
from flyte_rpc.codec.message import which_one_of

from .tags import DATE_TAG, PICKLE_FORMAT, PICKLE_TAG, class_name, container_of, is_bytes, schema_of, tag_of

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


def describe(literal_type: LiteralType, *, depth: int = 0) -> str:
    """Describe a type for errors, such as `list[int] | None`. Levels deeper than 10 become `...`."""
    if depth > 10:
        return "..."
    if (converter := converter_for_tag(literal_type)) is not None:
        return converter.python_type.__name__
    kind, inner = which_one_of(literal_type, "type")
    match kind:
        case "simple":
            if tag_of(literal_type) == DATE_TAG:
                return DATE_TAG
            if inner == SimpleType.STRUCT and isinstance(title := schema_of(literal_type).get("title"), str):
                return title.rpartition("Wrapper_")[2]
            return _SIMPLE.get(inner, f"an unknown type ({int(inner)})")
        case "collection_type":
            held = describe(inner, depth=depth + 1)
            container = container_of(literal_type)
            return f"tuple[{held}, ...]" if container == "tuple" else f"{container or 'list'}[{held}]"
        case "map_value_type":
            return f"dict[str, {describe(inner, depth=depth + 1)}]"
        case "enum_type":
            return f"one of {', '.join(map(repr, inner.values))}"
        case "union_type" if is_bytes(literal_type):
            return "bytes"
        case "union_type" if inner.variants and all(tag_of(each) == PICKLE_TAG for each in inner.variants):
            named = class_name(literal_type)
            return f"a pickled object ({named})" if named else "a pickled object"
        case "union_type":
            return " | ".join(describe(variant, depth=depth + 1) for variant in inner.variants) or "a union of nothing"
        case "blob" if inner.format == ARRAY_FORMAT:
            return "numpy.ndarray"
        case "blob" if inner.format == PICKLE_FORMAT:
            return "a pickled object"
        case "blob":
            return "a directory" if inner.dimensionality == BlobTypeBlobDimensionality.MULTIPART else "a file"
        case "structured_dataset_type":
            return "a data frame"
        case "schema":
            return "a table"
        case _:
            return "a value of unknown type"
