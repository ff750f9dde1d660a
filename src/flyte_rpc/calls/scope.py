"""The scope of calls: the organization, project and domain in which names are looked up, and parts that an SDK adds."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from typing import NamedTuple

from flyte_rpc.arguments import text
from flyte_rpc.errors import InitializationError

_OWN = ("org", "project", "domain")


class Scope(NamedTuple):
    """The organization, project and domain in which names are looked up."""

    org: str
    project: str
    domain: str


def checked_parts(scope: Mapping[str, str]) -> dict[str, str]:
    """Check the parts that an SDK adds to the scope, such as a tenant, and return them.

    Raises:
        TypeError: The scope is not a mapping, or a part is not a string.
        ValueError: `scope` has `org`, `project` or `domain`, which have their own arguments.
    """
    if not isinstance(scope, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(
            f'scope takes a mapping of text to text, such as {{"name": "value"}}, not {type(scope).__name__}'
        )
    for name in _OWN:
        if name in scope:
            raise ValueError(f"scope has {name}, which is an argument of its own; write {name}={scope[name]!r}")
    return {name: text(name, value) for name, value in scope.items()}


def parts_of_call(
    own: Mapping[str, str], given: Mapping[str, str | None], demand: Collection[str], constructors: str
) -> dict[str, str]:
    """Return the parts of a call's scope.

    Args:
        own: The parts of the client's scope.
        given: The arguments of the call, which override the client's parts. None means the client's part.
        demand: The names of the required parts. The others may be `""`, for none.
        constructors: The functions that set a part once, for the error.

    Raises:
        InitializationError: A required part is missing.
        ValueError: A required part is empty.
    """
    for name, value in given.items():
        if value is not None:
            text(name, value)
        if value == "" and name in demand:
            raise ValueError(f"{name} must not be empty; omit it to use the client's {name}")
    found = {name: own.get(name, "") if value is None else value for name, value in given.items()}
    missing = [name for name in demand if not found[name]]
    if missing:
        arguments = ", ".join(f"{name}=..." for name in missing)
        once = [f"{name}=..." for name in missing if name in _OWN]
        if others := [name for name in missing if name not in _OWN]:
            once.append(f"scope={{{', '.join(f'{name!r}: ...' for name in others)}}}")
        where = constructors if once == arguments.split(", ") else f"{constructors} as {', '.join(once)}"
        raise InitializationError(
            f"No {' and no '.join(missing)} is set. Pass {arguments} to this call, or once to {where}."
            f"{_similar(missing, own.keys() - found.keys())}"
        )
    return found


def _similar(missing: Collection[str], others: Collection[str]) -> str:
    """Return a hint at parts of the client's scope that are spelt like missing ones; "" if there are none."""
    near = {name: difflib.get_close_matches(name, sorted(others), n=1) for name in missing}
    hints = [f"{found[0]!r} (did you mean {name!r}?)" for name, found in near.items() if found]
    return f" The client's scope has {' and '.join(hints)}." if hints else ""
