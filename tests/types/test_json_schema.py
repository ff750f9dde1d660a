"""Types as JSON schema, for forms and documentation."""

from typing import Any

import pytest

from flyte.types import literal_type_of
from flyte.types.functions.json_schema import type_schema


@pytest.mark.parametrize(
    ("annotation", "schema"),
    [
        (bytes, {"type": "string", "format": "binary"}),
        (bytes | None, {"anyOf": [{"type": "string", "format": "binary"}, {"type": "null"}]}),
        (list[int], {"type": "array", "items": {"type": "integer"}}),
        (tuple[int, ...], {"type": "array", "items": {"type": "integer"}}),
        (set[str], {"type": "array", "items": {"type": "string"}, "uniqueItems": True}),
        (frozenset[str], {"type": "array", "items": {"type": "string"}, "uniqueItems": True}),
        (dict[str, float], {"type": "object", "additionalProperties": {"type": "number", "format": "float"}}),
    ],
)
def test_a_type_is_described(annotation: Any, schema: dict[str, Any]) -> None:
    assert type_schema(literal_type_of(annotation)) == schema
