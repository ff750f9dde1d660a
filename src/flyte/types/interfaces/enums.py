"""Enums generated from a Flyte type, and the error for types without a Python counterpart."""

import enum
import functools
import itertools
from typing import Any, cast


class Unguessable(Exception):
    """A type has no Python counterpart. The message names it."""


@functools.lru_cache(maxsize=1024)
def enum_class(values: tuple[str, ...]) -> type[enum.Enum]:
    """Return the enum of the given strings. The same strings give the same class, so that members compare equal.

    A member's value and name are the string. Names that Python reserves get the prefix `v0_`.
    """
    members: dict[str, str] = {}
    distinct = dict.fromkeys(values)
    for value in distinct:
        # Any text is valid after a letter, so the loop ends.
        escaped = (f"v{number}_{value}" for number in itertools.count())
        names = itertools.chain([value] if _usable(value) else [], (name for name in escaped if name not in distinct))
        members[next(names)] = value
    if not members:
        raise Unguessable("an enum without values has no Python form")
    made: Any = enum.Enum("DynamicEnum", members, module=__name__, type=_Pickled)  # type: ignore[misc]  # Made at run time.
    return cast("type[enum.Enum]", made)


def _usable(name: str) -> bool:
    # Python refuses `mro` and the empty name, and reserves _sunder_, __dunder__ and mangled names.
    reserved = name in ("", "mro", "name", "value") or name.startswith("_DynamicEnum__")
    return not reserved and not (name.startswith("_") and name.endswith("_"))


class _Pickled:
    """Makes members of a generated class picklable, by its strings."""

    def __reduce_ex__(self, protocol: Any, /) -> Any:
        return _member, (tuple(member.value for member in type(self)), self.value)  # type: ignore[attr-defined]  # Mixed into enums only.


def _member(values: tuple[str, ...], value: str) -> enum.Enum:
    return enum_class(values)(value)
