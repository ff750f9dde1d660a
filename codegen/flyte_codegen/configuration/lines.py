"""Line numbers in TOML files, which Python's parser does not report."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from functools import cached_property
from typing import Any, TypeGuard

import attrs

from flyte_codegen.diagnostics import fail

Keys = tuple[str, ...]


@attrs.frozen(slots=False)
class Source:
    """A valid TOML file: its name and text. Line numbers are computed on first use."""

    name: str = ""
    text: str = attrs.field(default="", repr=False)

    def at(self, keys: Keys) -> str:
        """Return the file and line of the value at the keys, or of its closest existing parent."""
        while keys and keys not in self._lines:
            keys = keys[:-1]
        return f"{self.name}:{self._lines[keys]}" if keys else self.name

    def at_table(self, table: str, key: str = "") -> str:
        """Return the file and line of a key in a table, given by its header, such as `entities.Run.methods`."""
        return self.at((*_leaf(tomllib.loads(f"[{table}]")), *([key] if key else [])))

    def keys_at(self, line: int) -> Keys:
        """Return the table or key that starts at a line; empty if none does."""
        return next((keys for keys, first in reversed(self._lines.items()) if first == line), ())

    @cached_property
    def _lines(self) -> dict[Keys, int]:
        """Map each table and key to its first line, by joining lines until they parse as a statement."""
        found: dict[Keys, int] = {}
        table: Keys = ()
        statement, start = "", 1
        for number, line in enumerate(self.text.splitlines(), 1):
            statement, start = (f"{statement}\n{line}", start) if statement else (line, number)
            try:
                data = tomllib.loads(statement)
            except tomllib.TOMLDecodeError:
                continue
            if statement.lstrip().startswith("["):
                table = _leaf(data)
                for length in range(1, len(table) + 1):  # parent tables need no header of their own
                    found.setdefault(table[:length], start)
            else:
                for keys in _paths(data):
                    found.setdefault((*table, *keys), start)
            statement = ""
        return found


def parsed(path: str, content: bytes, remedy: str = "") -> dict[str, Any]:
    """Parse a TOML file.

    Raises:
        CodegenError: The file is not valid TOML. The error has the line number from the parser's message.
    """
    try:
        text = content.decode("utf-8-sig")
        return tomllib.loads(text)
    except UnicodeDecodeError as cause:
        line = content[: cause.start].count(b"\n") + 1
        raise fail(f"{path}:{line}", "not valid TOML: it is not UTF-8", remedy) from None
    except tomllib.TOMLDecodeError as cause:
        why, _, where = str(cause).rpartition(" (at ")
        found = re.search(r"line (\d+)", where)
        line = int(found[1]) if found else len(content.splitlines())
        raise fail(f"{path}:{line}", f"not valid TOML: {why}", remedy) from None


def is_table(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether a value is a table."""
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[Any]]:
    """Whether a value is a list."""
    return isinstance(value, list)


def _leaf(header: object) -> Keys:
    """Return the keys of a parsed table header."""
    keys: list[str] = []
    while is_table(header) and header:
        ((key, inner),) = header.items()
        keys.append(key)
        header = inner[0] if is_list(inner) else inner
    return tuple(keys)


def _paths(data: object) -> Iterator[Keys]:
    """Yield the key paths of everything in a statement, nested tables included."""
    for key, value in data.items() if is_table(data) else ():
        yield (key,)
        yield from ((key, *rest) for rest in _paths(value))
