"""Launch forms: a JSON schema with a property for each input, whose default is the value."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from typing import Any

from flyte_api.messages.flyteidl2.core.interface import Variable, VariableMap
from flyte_api.messages.flyteidl2.core.types import LiteralType
from flyte_api.messages.flyteidl2.task.common import NamedLiteral
from flyte_rpc.typeguards import is_mapping

from .errors import TranslationError
from .literals import literal_of, none_of
from .schemas import Json, is_optional, null_variant, schema_of, type_of
from .values import NULL, value_of

_MISSING = object()


def empty_form(variables: VariableMap | None) -> Json:
    """Return the form for the inputs of a task.

    Raises:
        TranslationError: An input's type has no schema.
    """
    return _form((name, variable, _MISSING) for name, variable in _by_name(variables).items())


def filled_form(variables: VariableMap | None, literals: Iterable[NamedLiteral]) -> Json:
    """Return the form with values. Literals without a variable are left out.

    Raises:
        TranslationError: A type has no schema, or a literal no JSON value.
    """
    known = _by_name(variables)
    return _form((item.name, known[item.name], value_of(item.value)) for item in literals if item.name in known)


def literals_of_form(form: Mapping[str, Any]) -> list[NamedLiteral]:
    """Return the values of a form. Optional inputs without a value are None; others are left out.

    Raises:
        TranslationError: The form is malformed, or a value does not fit its schema.
    """
    properties = form.get("properties")
    if not is_mapping(properties):
        raise TranslationError("the form has no properties")
    found: list[NamedLiteral] = []
    for name, schema in properties.items():
        if not is_mapping(schema):
            raise TranslationError(f"the property {name!r} of the form is not a schema")
        with _named_in_errors(name):
            kind = type_of({**schema, "title": name})
        default = _default_of(schema)
        variant = null_variant(kind) if is_optional(schema) else None
        if default is not _MISSING:
            found.append(_named(name, default, kind))
        elif variant is not None:
            found.append(NamedLiteral(name=name, value=none_of(variant)))
    return found


def literals_of_values(variables: VariableMap | None, values: Mapping[str, Any]) -> list[NamedLiteral]:
    """Return JSON values as literals, in the order of the variables. Unknown values are ignored.

    Raises:
        TranslationError: A value is missing or does not fit its type.
    """
    found: list[NamedLiteral] = []
    for name, variable in _by_name(variables).items():
        kind = variable.type or LiteralType()
        if name in values:
            found.append(_named(name, values[name], kind))
            continue
        variant = null_variant(kind)
        if variant is None:
            raise TranslationError(f"the input {name!r} has no value")
        found.append(NamedLiteral(name=name, value=none_of(variant)))
    return found


def _by_name(variables: VariableMap | None) -> dict[str, Variable]:
    entries = [] if variables is None else variables.variables
    return {entry.key: entry.value or Variable() for entry in entries}


def _form(inputs: Iterable[tuple[str, Variable, Any]]) -> Json:
    properties: Json = {}
    required: list[str] = []
    for name, variable, value in inputs:
        with _named_in_errors(name):
            schema = schema_of(variable.type)
        if not is_optional(schema) and value != NULL:
            required.append(name)
        if value is not _MISSING:
            _set_default(schema, value)
        if variable.description and variable.description != name:
            schema["description"] = variable.description
        properties[name] = schema
    return {"type": "object", "title": "Launch Form", "properties": properties, "required": required}


def _set_default(schema: Json, value: Any) -> None:
    """Put a value into a schema: for a blob into its properties."""
    if schema.get("format") != "blob":
        schema["default"] = value
    elif is_mapping(value):
        for name, part in schema["properties"].items():
            part["default"] = value.get(name, part["default"])


def _default_of(schema: Mapping[str, Any]) -> Any:
    """Return the value in a schema. Objects can have theirs in the properties, at any depth."""
    if "default" in schema:
        return schema["default"]
    properties, form = schema.get("properties"), schema.get("format")
    is_map = is_mapping(schema.get("additionalProperties")) or schema.get("additionalProperties") is True
    is_structure = schema.get("type") == "object" and not isinstance(form, str) and not is_map
    if not is_mapping(properties) or not (is_structure or form == "blob"):
        return _MISSING
    values = {name: _default_of(part) for name, part in properties.items() if is_mapping(part)}
    found = {name: value for name, value in values.items() if value is not _MISSING}
    return found or _MISSING


def _named(name: str, value: Any, kind: LiteralType) -> NamedLiteral:
    with _named_in_errors(name):
        return NamedLiteral(name=name, value=literal_of(value, kind))


@contextmanager
def _named_in_errors(name: str) -> Generator[None, None, None]:
    """Add the name of an input to errors."""
    try:
        yield
    except TranslationError as error:
        raise TranslationError(f"the input {name!r}: {error.message}", error.status) from error
