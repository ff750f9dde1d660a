"""The protobuf JSON mapping, both ways."""

from __future__ import annotations

import base64
import binascii
import math
import re
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from flyte_rpc.typeguards import is_list, is_mapping

from .well_known import AnyMixin
from .wire import EncodeError, float32, put_float

if TYPE_CHECKING:
    from .message import Message
    from .spec import FieldSpec

M = TypeVar("M", bound="Message")

_WIDE = frozenset({"int64", "uint64", "sint64", "fixed64", "sfixed64"})
_FLOATS = frozenset({"float", "double"})
_NAMED_FLOATS = {"Infinity": math.inf, "-Infinity": -math.inf, "NaN": math.nan}
_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
_NULL_VALUE = "google.protobuf.NullValue"


class _Form(NamedTuple):
    """How `to_json_value` writes; its parameters, on their way down."""

    plain: bool
    snake: bool
    defaults: bool


def to_json_value(message: Message, *, plain: bool, snake: bool, defaults: bool) -> Any:
    """See `Message.to_dict`."""
    return _written(message, _Form(plain, snake, defaults))


def _written(message: Any, form: _Form) -> Any:
    special = "_to_plain" if form.plain else "_to_json"
    try:
        if isinstance(message, AnyMixin):
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
        if value is not None:  # what has presence and is absent has no default to show
            out[spec.proto_name if form.snake else spec.json_name] = _field_written(spec, value, form)
    return out


def _any_written(message: AnyMixin, form: _Form) -> dict[str, Any]:
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


def scalar_to_json(kind: str, value: Any) -> Any:
    """The JSON form of a number, text, bytes or enum."""
    if kind == "enum":
        if _is_null_value(value):
            return None
        return getattr(value, "proto_name", None) or int(value)
    if kind in _WIDE:
        return str(value)
    if kind in _FLOATS:
        return _float_to_json(kind, value)
    if kind == "bytes":
        return base64.b64encode(value).decode()
    return value


def _float_to_json(kind: str, value: float) -> float | str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if kind == "double":
        return value
    # The fewest digits that make the same 32 bits: 0.1, not 0.10000000149011612. Nine are always enough.
    short = (float(f"{value:.{digits}g}") for digits in range(6, 10))
    return next((s for s in short if float32(put_float(s)) == value), value)


def _is_null_value(enum: Any) -> bool:
    return getattr(enum, "__full_name__", "") == _NULL_VALUE


def from_json_value(cls: type[M], value: Any, ignore_unknown: bool) -> M:
    """See `Message.from_dict`."""
    return _message(cls, value, ignore_unknown, cls.__name__)


def _message(cls: type[M], value: Any, ignore_unknown: bool, path: str) -> M:
    special = getattr(cls, "_from_json", None)
    if special is not None or issubclass(cls, AnyMixin):
        try:
            special_form: M = _any(cls, value, ignore_unknown, path) if special is None else special(value)
            return special_form
        except (ValueError, TypeError, AttributeError, OverflowError) as cause:
            raise ValueError(f"{path} is not a JSON form of {cls.__name__}: {cause}") from None
    if not is_mapping(value):
        raise ValueError(f"{path} takes an object, not {_what(value)}")
    by_name = {name: spec for spec in cls.specs().values() for name in (spec.json_name, spec.proto_name)}
    made: dict[str, Any] = {}
    for key, item in value.items():
        spec = by_name.get(key)
        if spec is None:
            if ignore_unknown:
                continue
            raise ValueError(f"{path} has no field {key!r}")
        if spec.name in made:
            raise ValueError(f"{path} has {spec.json_name} twice, under both of its names")
        made[spec.name] = _field(cls, spec, item, ignore_unknown, f"{path}.{key}")
    try:
        return cls(**made)
    except EncodeError:
        raise  # names the class and field itself
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


def _field(cls: type[Message], spec: FieldSpec, value: Any, ignore_unknown: bool, path: str) -> Any:
    kind = spec.map_kinds[1] if spec.label == "map" else spec.kind
    target = getattr(cls, spec.name).target if kind in ("message", "enum") else None
    if value is None and not (_takes_null(target) and spec.label not in ("repeated", "map")):
        return None
    if spec.label == "repeated":
        if not is_list(value):
            raise ValueError(f"{path} takes a list, not {_what(value)}")
        return [_single(kind, target, v, ignore_unknown, f"{path}[{i}]") for i, v in enumerate(value)]
    if spec.label == "map":
        if not is_mapping(value):
            raise ValueError(f"{path} takes an object, not {_what(value)}")
        key_kind = spec.map_kinds[0]
        return {
            _map_key(key_kind, k, path): _single(kind, target, v, ignore_unknown, f"{path}[{k!r}]")
            for k, v in value.items()
        }
    return _single(kind, target, value, ignore_unknown, path)


def _takes_null(target: type[Any] | None) -> bool:
    """Whether null is a value of the type rather than its absence."""
    return target is not None and (
        getattr(target, "FULL_NAME", "") == "google.protobuf.Value" or _is_null_value(target)
    )


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


def scalar_from_json(kind: str, value: Any, path: str, target: Any = None) -> Any:
    """The number, text, bytes or enum of a JSON form; `path` is named when it does not fit."""
    try:
        if kind == "enum":
            return _enum(target, value)
        if kind in _FLOATS:
            return _float(value)
        if kind == "bytes":
            return _bytes(value)
        if kind == "string" and isinstance(value, str):
            return value
        if kind == "bool" and isinstance(value, bool):
            return value
        if kind not in ("string", "bool"):
            return _integer(value)
    except (TypeError, ValueError, OverflowError) as cause:
        raise ValueError(f"{path} takes {kind}, not {_what(value)}: {cause}") from None
    raise ValueError(f"{path} takes {kind}, not {_what(value)}")


def _what(value: Any) -> str:
    """The type of a JSON value, which is all that an error may show of what could be a secret."""
    return "null" if value is None else type(value).__name__


def _enum(target: Any, value: Any) -> Any:
    if value is None and _is_null_value(target):
        return target(0)
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        renamed = target.betterproto_renamed_proto_names_to_value()
        return target(renamed[value]) if value in renamed else target.from_string(value)
    return _integer(value)


def _bytes(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):
        raise TypeError("it is written in base64")
    try:
        return base64.b64decode(value.replace("-", "+").replace("_", "/") + "=" * (-len(value) % 4), validate=True)
    except binascii.Error as cause:
        raise ValueError(f"it is not base64: {cause}") from None


def _float(value: Any) -> float:
    if isinstance(value, str):
        if value not in _NAMED_FLOATS and not _NUMBER.fullmatch(value):
            raise ValueError("it is not a number")
        return _NAMED_FLOATS[value] if value in _NAMED_FLOATS else float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError("it is not a number")
    return float(value)


def _integer(value: Any) -> int:
    if isinstance(value, str):
        if not _NUMBER.fullmatch(value):
            raise ValueError("it is not a number")
        value = int(value) if value.lstrip("-").isdigit() else float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError("it is not a number")
    if isinstance(value, float) and not value.is_integer():
        raise ValueError("it has a fraction, or is too large")
    return int(value)
