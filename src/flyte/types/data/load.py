"""Convert plain data from MessagePack or JSON to values of annotated types."""

from __future__ import annotations

import base64
import datetime as dt
import enum
import re
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from flyte.types.files.references import Dir, File

from .classes import DataClass, class_itself, data_class
from .custom import converter_of_hint, from_plain_data
from .frames import from_frame_data, is_frame_class
from .guards import is_dict, is_list
from .hints import DICTS, LISTS, TUPLES, plain, textual_format, type_name
from .mismatch import Mismatch, first_fit, located

_DURATION = re.compile(
    r"(?P<sign>-?)P(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+)(?:\.(?P<fraction>\d{1,6})\d*)?S)?)?"
)
_SETS = {set: set, frozenset: frozenset}
_MAKE_SET: Mapping[Any, Callable[[Any], Any]] = _SETS


class Mode(NamedTuple):
    """How to convert data.

    Attributes:
        exact: Refuse data that was probably written for another type: unknown fields, whole floats for `int`. Unions are
            first tried this way.
        by_name: Read text first as the name of an enum member, as in models, then as its value.
    """

    exact: bool = False
    by_name: bool = False


_LENIENT = Mode()


def load(data: Any, hint: Any, mode: Mode = _LENIENT) -> Any:
    """Convert data to a value of an annotated type.

    Args:
        data: None, bools, numbers, text, bytes, lists and dicts.
        hint: An annotation.
        mode: How to convert.

    Raises:
        Mismatch: The data does not fit.
    """
    hint = plain(hint)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint in (Any, object):
        return data
    if (custom := converter_of_hint(hint)) is not None:
        return from_plain_data(*custom, data)
    if hint is None or hint is type(None):
        if data is None:
            return None
        raise _mismatch(data, hint)
    if origin in (typing.Union, types.UnionType):
        return _union(data, hint, arguments, mode)
    if origin is typing.Literal:
        for argument in arguments:
            if data == argument and isinstance(data, bool) == isinstance(argument, bool):
                return argument
        raise _mismatch(data, hint)
    reader = _SCALARS.get(hint) if isinstance(hint, type) else None
    if textual_format(hint):
        reader = _textual
    if reader is not None:
        return reader(data, hint, mode)
    if hint in LISTS or origin in LISTS:
        if is_list(data):
            return [
                located(f"[{i}]", load, item, arguments[0] if arguments else Any, mode) for i, item in enumerate(data)
            ]
    elif hint in _MAKE_SET or origin in _MAKE_SET:
        if is_list(data):
            items = [
                located(f"[{i}]", load, item, arguments[0] if arguments else Any, mode) for i, item in enumerate(data)
            ]
            try:
                return _MAKE_SET[origin or hint](items)
            except TypeError:
                raise Mismatch.between(type_name(hint), "items that cannot be in a set") from None
    elif hint in DICTS or origin in DICTS:
        if is_dict(data):
            key, item_hint = arguments or (Any, Any)
            return {_key(name, key): located(f"[{name!r}]", load, item, item_hint, mode) for name, item in data.items()}
    elif hint in TUPLES or origin in TUPLES:
        return _tuple(data, hint, arguments, mode)
    elif isinstance(hint, type) and issubclass(hint, enum.Enum):
        return _member(data, hint, mode)
    elif is_frame_class(hint):
        return from_frame_data(data, hint)
    elif (described := data_class(hint)) is not None:
        return _instance(data, hint, described, mode)
    raise _mismatch(data, hint)


def _mismatch(data: Any, hint: Any) -> Mismatch:
    return Mismatch.between(type_name(hint), repr(data[:40]) if isinstance(data, str) else type_name(type(data)))


def _union(data: Any, hint: Any, arguments: tuple[Any, ...], mode: Mode) -> Any:
    return first_fit(
        [(argument, mode._replace(exact=exact)) for exact in (True, False) for argument in arguments],
        lambda variant: load(data, *variant),
        lambda: _mismatch(data, hint),
    )


def _tuple(data: Any, hint: Any, arguments: tuple[Any, ...], mode: Mode) -> Any:
    if is_dict(data) and set(data) == {f"item_{n}" for n in range(len(data))}:
        # A tuple encoded as a single value by other SDKs.
        data = [data[f"item_{n}"] for n in range(len(data))]
    if not is_list(data):
        raise _mismatch(data, hint)
    if hint in TUPLES:
        return tuple(data)
    hints = arguments[:1] * len(data) if len(arguments) == 2 and arguments[1] is Ellipsis else arguments
    if len(hints) != len(data):
        raise Mismatch.between(type_name(hint), f"{len(data)} items")
    return tuple(
        located(f"[{i}]", load, item, each, mode) for i, (item, each) in enumerate(zip(data, hints, strict=True))
    )


def _member(data: Any, hint: type[enum.Enum], mode: Mode) -> enum.Enum:
    members = hint.__members__
    if mode.by_name and isinstance(data, str) and data in members:
        return members[data]
    try:
        return hint(data)
    except ValueError:
        if isinstance(data, str) and data in members:
            return members[data]
        if isinstance(data, float) and data.is_integer() and not mode.exact:
            return _member(int(data), hint, mode)
    raise _mismatch(data, hint)


def _key(name: Any, hint: Any) -> Any:
    """Convert a key of a dict, which is text in JSON but not in MessagePack."""
    try:
        return load(name, hint, Mode(exact=True))
    except Mismatch:
        if isinstance(name, str) and hint in (int, float):
            try:
                return hint(name)
            except ValueError:
                pass
        raise Mismatch.between(f"keys that are {type_name(hint)}", f"the key {name!r}") from None


def _instance(data: Any, kind: Any, described: DataClass, mode: Mode) -> Any:
    if described.kind == "namedtuple" and is_list(data):
        names = [field.key for field in described.fields]
        if len(data) > len(names):
            raise Mismatch.between(type_name(kind), f"{len(data)} items")
        data = dict(zip(names, data, strict=False))
    if not is_dict(data):
        raise _mismatch(data, kind)
    keys = {field.key for field in described.fields}
    unknown = [key for key in data if key not in keys]
    if mode.exact and unknown:
        raise Mismatch.between(type_name(kind), f"a dict with {unknown[0]!r}")
    arguments: dict[str, Any] = {}
    for field in described.fields:
        if field.key not in data:
            if field.required:
                raise Mismatch.between(type_name(kind), f"a dict without {field.key!r}")
            continue
        item = data[field.key]
        if item is None and not field.required and described.kind == "typeddict":
            # Other SDKs encode a missing key as null.
            continue
        try:
            arguments[field.argument] = located(f".{field.name}", load, item, field.hint, mode)
        except Mismatch:
            if described.kind != "pydantic":
                raise
            # A custom type, or one that validators convert: the model decides.
            arguments[field.argument] = item
    return _build(kind, described, arguments, {key: data[key] for key in unknown})


def _build(kind: Any, described: DataClass, arguments: dict[str, Any], others: dict[str, Any]) -> Any:
    if described.kind == "typeddict":
        return arguments
    try:
        if described.kind == "pydantic":
            # Its configuration decides about unknown fields.
            return kind.model_validate(arguments | others)
        return class_itself(kind)(**arguments)
    except (TypeError, ValueError) as error:
        # Errors of the class's constructor or validators.
        raise Mismatch(f"{type_name(kind)} rejects it: {error}") from error


def _int(data: Any, hint: Any, mode: Mode) -> int:
    if isinstance(data, float) and data.is_integer() and not mode.exact:
        return int(data)
    if isinstance(data, int) and not isinstance(data, bool):
        return data
    raise _mismatch(data, hint)


def _float(data: Any, hint: Any, mode: Mode) -> float:
    if isinstance(data, float):
        return data
    if isinstance(data, int) and not isinstance(data, bool) and not mode.exact:
        return float(data)
    raise _mismatch(data, hint)


def _same(data: Any, hint: Any, mode: Mode) -> Any:
    if type(data) is hint:
        return data
    raise _mismatch(data, hint)


def _bytes(data: Any, hint: Any, mode: Mode) -> bytes:
    if isinstance(data, bytes):
        return data
    if isinstance(data, str) and mode.by_name:
        # Models encode bytes as text if possible; dataclasses always use base64.
        return data.encode()
    if isinstance(data, str):
        try:
            return base64.b64decode("".join(data.split()), validate=True)
        except ValueError:
            raise Mismatch.between("bytes", f"{data[:40]!r}, which is not base64") from None
    raise _mismatch(data, hint)


def _moment(data: Any, hint: Any, mode: Mode) -> dt.datetime:
    found: dt.datetime = _parsed(data, hint, dt.datetime.fromisoformat)
    # Times without a time zone are in UTC.
    return found if found.tzinfo is not None else found.replace(tzinfo=dt.UTC)


def _date(data: Any, hint: Any, mode: Mode) -> dt.date:
    found: dt.date = _parsed(data, hint, dt.date.fromisoformat)
    return found


def _span(data: Any, hint: Any, mode: Mode) -> dt.timedelta:
    if isinstance(data, (int, float)) and not isinstance(data, bool):
        try:
            return dt.timedelta(seconds=data)
        except (OverflowError, ValueError):
            raise _mismatch(data, hint) from None
    match = _DURATION.fullmatch(data) if isinstance(data, str) else None
    if match is None or not any(match.groups()[1:]):
        raise _mismatch(data, hint)
    parts = {name: int(match[name] or 0) for name in ("weeks", "days", "hours", "minutes", "seconds")}
    try:
        span = dt.timedelta(**parts, microseconds=int((match["fraction"] or "0").ljust(6, "0")))
    except OverflowError:
        raise _mismatch(data, hint) from None
    return -span if match["sign"] else span


def _parsed(data: Any, hint: Any, parse: Callable[[str], Any]) -> Any:
    if not isinstance(data, str):
        raise _mismatch(data, hint)
    try:
        return parse(data)
    except (ValueError, ArithmeticError):
        raise _mismatch(data, hint) from None


def _time(data: Any, hint: Any, mode: Mode) -> dt.time:
    found: dt.time = _parsed(data, hint, dt.time.fromisoformat)
    return found


def _textual(data: Any, hint: Any, mode: Mode) -> Any:
    """Convert data to a type with a text form. Decimals may also be numbers."""
    if hint.__name__ == "Decimal" and isinstance(data, (int, float)) and not isinstance(data, bool):
        data = str(data)
    return _parsed(data, hint, hint)


def _stored(data: Any, hint: Any, mode: Mode) -> Any:
    if is_dict(data) and isinstance(data.get("path"), str):
        return hint(data["path"], data.get("format") or "", data.get("hash"))
    raise _mismatch(data, hint)


_SCALARS: Mapping[Any, Callable[[Any, Any, Mode], Any]] = {
    int: _int,
    float: _float,
    str: _same,
    bool: _same,
    bytes: _bytes,
    dt.datetime: _moment,
    dt.date: _date,
    dt.timedelta: _span,
    dt.time: _time,
    File: _stored,
    Dir: _stored,
}
