"""The last section of `flyte-codegen report --names`: names of another SDK, and their counterparts in the client."""

from __future__ import annotations

import tomllib
from pathlib import Path

import attrs

from flyte_codegen.diagnostics import CodegenError, error

_FORM = "a table `same` with lists of members by class, and a table `lacking` with texts by name"


@attrs.frozen
class ForeignName:
    """A public name of another SDK.

    Attributes:
        name: Its full name.
        reason: What to use instead, or why there is nothing; empty if the client has the name.
    """

    name: str
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.name} -> {(self.reason and 'lacking: ' + self.reason) or 'the same'}"


def foreign_names(path: Path) -> list[ForeignName]:
    """Read a table of names, sorted by name.

    Raises:
        CodegenError: The file is not such a table.
        OSError: The file cannot be read.
    """
    text = path.read_text("utf-8")
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as cause:
        raise CodegenError([error(str(path), str(cause), f"write {_FORM}")]) from cause
    same, lacking = tables.get("same", {}), tables.get("lacking", {})
    if not all(isinstance(members, list) for members in same.values()) or not all(
        isinstance(reason, str) and reason for reason in lacking.values()
    ):
        raise CodegenError([error(str(path), "the table has other values", f"write {_FORM}")])
    found = [
        ForeignName(name) for owner, members in same.items() for name in (owner, *(f"{owner}.{m}" for m in members))
    ]
    return sorted(
        [*found, *(ForeignName(name, reason) for name, reason in lacking.items())], key=lambda each: each.name
    )
