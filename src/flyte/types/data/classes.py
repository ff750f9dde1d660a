"""A uniform view of data classes: dataclasses, attrs classes, pydantic models, named tuples and typed dicts.

pydantic is never imported here: a model can only exist if the program imported pydantic itself.
"""

from __future__ import annotations

import dataclasses
import inspect
import sys
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from .hints import substituted, type_arguments

# Metadata of a field with a key that is not a Python name.
KEY = "flyte_key"


class _Missing:
    """Marks a missing default, or one that only a factory call could create."""


MISSING = _Missing()


@dataclass(frozen=True)
class Field:
    """A field of a data class.

    Attributes:
        name: The attribute.
        key: The key in encoded data.
        argument: The constructor's argument.
        hint: Its annotation.
        required: Whether the constructor requires it.
        default: Its default, or `MISSING`.
    """

    name: str
    key: str
    argument: str
    hint: Any
    required: bool
    default: Any = MISSING


@dataclass(frozen=True)
class DataClass:
    """The kind of a data class ("dataclass", "attrs", "pydantic", "namedtuple", "typeddict"), and its fields."""

    kind: str
    fields: tuple[Field, ...]


def data_class(kind: Any) -> DataClass | None:
    """Return the fields of a data class, in order; None for any other type.

    Args:
        kind: A class, or a generic one with its arguments, such as `Box[int]`.

    Raises:
        TypeError: An annotation of a field cannot be resolved.
    """
    own = class_itself(kind)
    for recognised, describe in _KINDS:
        if recognised(own):
            try:
                found = describe(own)
            except NameError as error:
                raise TypeError(f"{own.__name__}: an annotation cannot be resolved: {error}") from None
            if not hasattr(own, "__parameters__"):
                return found
            known = type_arguments(kind)
            fields = (dataclasses.replace(field, hint=_specific(field, own, known)) for field in found.fields)
            return DataClass(found.kind, tuple(fields))
    return None


def _specific(field: Field, own: Any, known: dict[Any, dict[Any, Any]]) -> Any:
    """Return the annotation of a field of a generic class, with the type variables of its defining class replaced."""
    writers = [each for each in own.__mro__ if field.name in inspect.get_annotations(each)]
    # A typed dict has the annotations of its bases, but no reference to the bases.
    everywhere = {variable: hint for each in known.values() for variable, hint in each.items()}
    return substituted(field.hint, everywhere | known.get(writers[0] if writers else own, {}))


def class_itself(kind: Any) -> Any:
    """Return a class without its generic arguments."""
    return typing.get_origin(kind) or kind


def is_data_instance(value: Any) -> bool:
    """Whether a value is an instance of a data class. A typed dict cannot be told from other dicts."""
    return any(recognised(type(value)) for recognised, _ in _KINDS)


def is_model(kind: Any) -> bool:
    """Whether a class is a pydantic model."""
    # Accessing attributes of the package would import its lazy parts.
    loaded = sys.modules.get("pydantic.main")
    return loaded is not None and isinstance(kind, type) and issubclass(kind, loaded.BaseModel)


def contents(value: Any) -> dict[str, Any]:
    """Return the fields of an instance by their keys."""
    found = data_class(type(value))
    fields = found.fields if found is not None else ()
    held = {field.key: getattr(value, field.name) for field in fields}
    if found is not None and found.kind == "pydantic":
        held |= value.model_extra or {}
    return held


def _is_dataclass(kind: Any) -> bool:
    return isinstance(kind, type) and dataclasses.is_dataclass(kind)


def _is_attrs(kind: Any) -> bool:
    return isinstance(kind, type) and hasattr(kind, "__attrs_attrs__")


def _is_named_tuple(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, tuple) and "_fields" in dir(cast("object", kind))


def _is_typed_dict(kind: Any) -> bool:
    # Includes those of typing_extensions, which pydantic requires on older Pythons.
    return isinstance(kind, type) and issubclass(kind, dict) and "__required_keys__" in dir(cast("object", kind))


def _of_dataclass(kind: Any) -> DataClass:
    hints = typing.get_type_hints(kind, include_extras=True)
    fields: list[Field] = []
    for item in dataclasses.fields(kind):
        if not item.init:
            continue
        required = item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING
        default = MISSING if item.default is dataclasses.MISSING else item.default
        key = item.metadata.get(KEY, item.name)
        fields.append(Field(item.name, key, item.name, hints[item.name], required, default))
    return DataClass("dataclass", tuple(fields))


def _of_attrs(kind: Any) -> DataClass:
    import attrs

    hints = typing.get_type_hints(kind, include_extras=True)
    fields: list[Field] = []
    for item in attrs.fields(kind):
        if not item.init:
            continue
        made = isinstance(item.default, attrs.Factory)  # type: ignore[arg-type]  # A class, despite its stub.
        default = MISSING if made or item.default is attrs.NOTHING else item.default
        hint = hints.get(item.name, Any)
        required = item.default is attrs.NOTHING
        fields.append(Field(item.name, item.name, item.alias or item.name, hint, required, default))
    return DataClass("attrs", tuple(fields))


def _of_model(kind: Any) -> DataClass:
    fields: list[Field] = []
    for name, item in kind.model_fields.items():
        required = item.is_required()
        default = MISSING if required or item.default_factory is not None else item.default
        alias = item.validation_alias if isinstance(item.validation_alias, str) else item.alias
        fields.append(Field(name, name, alias or name, item.annotation, required, default))
    return DataClass("pydantic", tuple(fields))


def _of_named_tuple(kind: Any) -> DataClass:
    hints = typing.get_type_hints(kind, include_extras=True)
    defaults: Mapping[str, Any] = kind._field_defaults
    return DataClass(
        "namedtuple",
        tuple(
            Field(name, name, name, hints.get(name, Any), name not in defaults, defaults.get(name, MISSING))
            for name in kind._fields
        ),
    )


def _of_typed_dict(kind: Any) -> DataClass:
    hints = typing.get_type_hints(kind)
    return DataClass(
        "typeddict",
        tuple(Field(name, name, name, hint, name in kind.__required_keys__) for name, hint in hints.items()),
    )


_KINDS: tuple[tuple[Callable[[Any], bool], Callable[[Any], DataClass]], ...] = (
    (is_model, _of_model),
    (_is_dataclass, _of_dataclass),
    (_is_attrs, _of_attrs),
    (_is_named_tuple, _of_named_tuple),
    (_is_typed_dict, _of_typed_dict),
)
