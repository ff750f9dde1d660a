"""The protobuf JSON mapping, in both directions."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar

from flyte_rpc.typeguards import is_list, is_mapping

from .json_scalars import is_null_value, json_type, scalar_from_json, scalar_to_json
from .spec import AnyMessage, FieldSpec
from .wire import EncodeError

M = TypeVar("M", bound="AnyMessage")


class _Form(NamedTuple):
    """The options of `to_json_value`, passed down the recursion."""

    plain: bool
    snake: bool
    defaults: bool


def to_json_value(message: AnyMessage, *, plain: bool, snake: bool, defaults: bool) -> Any:
    """See `Message.to_dict`."""
    return _written(message, _Form(plain, snake, defaults))


def _written(message: Any, form: _Form) -> Any:
    special = "_to_plain" if form.plain else "_to_json"
    try:
        if _is_any(message):
            return _any_written(message, form)
        if hasattr(message, special):
            return getattr(message, special)()
    except EncodeError:
        raise
    except ValueError as cause:
        raise EncodeError(f"{type(message).__name__}: {cause}") from None
    out: dict[str, Any] = {}
    specs: dict[str, FieldSpec] = message.specs()
    for name in list(specs if form.defaults else message.present()):
        spec = specs[name]
        value = getattr(message, name)
        if value is not None:  # unset fields with presence have no default to show
            out[spec.proto_name if form.snake else spec.json_name] = _field_written(spec, value, form)
    return out


def _is_any(message: Any) -> bool:
    """Whether this is `google.protobuf.Any` or its class, recognized by a method of `AnyMixin`."""
    return hasattr(message, "loaded_type")


def _any_written(message: Any, form: _Form) -> dict[str, Any]:
    if not message.type_url:
        return {}
    packed = message.unpack(message.loaded_type())
    written = _written(packed, form)
    return {"@type": message.type_url} | ({"value": written} if hasattr(packed, "_to_json") else written)


def _field_written(spec: FieldSpec, value: Any, form: _Form) -> Any:
    if spec.label == "repeated":
        return [_value(spec.kind, item, form) for item in value]
    if spec.label == "map":
        kind = spec.map_kinds[1]
        return {(k if form.plain else _key(k)): _value(kind, v, form) for k, v in value.items()}
    return _value(spec.kind, value, form)


def _key(key: Any) -> str:
    return str(key).lower() if isinstance(key, bool) else str(key)


def _value(kind: str, value: Any, form: _Form) -> Any:
    if kind == "message":
        return _written(value, form)
    return value if form.plain else scalar_to_json(kind, value)


def from_json_value(cls: type[M], value: Any, ignore_unknown: bool) -> M:
    """See `Message.from_dict`."""
    return _message(cls, value, ignore_unknown, cls.__name__)


def _message(cls: type[M], value: Any, ignore_unknown: bool, path: str) -> M:
    special = getattr(cls, "_from_json", None)
    if special is not None or _is_any(cls):
        try:
            special_form: M = _any(cls, value, ignore_unknown, path) if special is None else special(value)
            return special_form
        except (ValueError, TypeError, AttributeError, OverflowError) as cause:
            raise ValueError(f"{path} is not a JSON form of {cls.__name__}: {cause}") from None
    if not is_mapping(value):
        raise ValueError(f"{path} takes an object, not {json_type(value)}")
    by_name = {name: spec for spec in cls.specs().values() for name in (spec.json_name, spec.proto_name)}
    made: dict[str, Any] = {}
    for key, item in value.items():
        spec = by_name.get(key)
        if spec is None:
            if ignore_unknown:
                continue
            raise ValueError(f"{path} has no field {key!r}")
        if spec.name in made:
            raise ValueError(f"{path} has {spec.json_name} twice, under both its names")
        made[spec.name] = _field(cls, spec, item, ignore_unknown, f"{path}.{key}")
    try:
        return cls(**made)
    except EncodeError:
        raise  # the error already names the class and field
    except ValueError as cause:
        raise ValueError(f"{path}: {cause}") from None


def _any(cls: type[Any], value: Any, ignore_unknown: bool, path: str) -> Any:
    fields = dict(value)
    if not fields:
        return cls()
    made = cls(type_url=fields.pop("@type", ""))
    kind = made.loaded_type()
    made.value = bytes(_message(kind, fields["value"] if hasattr(kind, "_from_json") else fields, ignore_unknown, path))
    return made


def _field(cls: type[AnyMessage], spec: FieldSpec, value: Any, ignore_unknown: bool, path: str) -> Any:
    kind = spec.map_kinds[1] if spec.label == "map" else spec.kind
    target = getattr(cls, spec.name).target if kind in ("message", "enum") else None
    if value is None and not (_takes_null(target) and spec.label not in ("repeated", "map")):
        return None
    if spec.label == "repeated":
        if not is_list(value):
            raise ValueError(f"{path} takes a list, not {json_type(value)}")
        return [_single(kind, target, v, ignore_unknown, f"{path}[{i}]") for i, v in enumerate(value)]
    if spec.label == "map":
        if not is_mapping(value):
            raise ValueError(f"{path} takes an object, not {json_type(value)}")
        key_kind = spec.map_kinds[0]
        return {
            _map_key(key_kind, k, path): _single(kind, target, v, ignore_unknown, f"{path}[{k!r}]")
            for k, v in value.items()
        }
    return _single(kind, target, value, ignore_unknown, path)


def _takes_null(target: type[Any] | None) -> bool:
    """Whether null is a value of the type rather than its absence."""
    return target is not None and (getattr(target, "FULL_NAME", "") == "google.protobuf.Value" or is_null_value(target))


def _map_key(kind: str, key: Any, path: str) -> Any:
    if kind == "bool" and isinstance(key, str):
        if key not in ("true", "false"):
            raise ValueError(f"{path} has the key {key!r}, which is neither true nor false")
        return key == "true"
    return _single(kind, None, key, False, path)


def _single(kind: str, target: Any, value: Any, ignore_unknown: bool, path: str) -> Any:
    if kind == "message":
        return _message(target, value, ignore_unknown, path)
    return scalar_from_json(kind, value, path, target)
