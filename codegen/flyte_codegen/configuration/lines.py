"""In which line of a TOML file something stands, which Python's parser does not tell."""

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
    """A TOML file that is valid, by name and text. Lines are found on first use."""

    name: str = ""
    text: str = attrs.field(default="", repr=False)

    def at(self, keys: Keys) -> str:
        """The file and line of what the keys lead to, or of what comes closest above it."""
        while keys and keys not in self._lines:
            keys = keys[:-1]
        return f"{self.name}:{self._lines[keys]}" if keys else self.name

    def at_table(self, table: str, key: str = "") -> str:
        """The file and line of a key of a table that is written as in its header, such as `entities.Run.methods`."""
        return self.at((*_leaf(tomllib.loads(f"[{table}]")), *([key] if key else [])))

    @cached_property
    def _lines(self) -> dict[Keys, int]:
        """Where each table and key begins: lines are put together until they are a statement by themselves."""
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
                for length in range(1, len(table) + 1):  # tables that it is in need no header of their own
                    found.setdefault(table[:length], start)
            else:
                for keys in _paths(data):
                    found.setdefault((*table, *keys), start)
            statement = ""
        return found


def parsed(path: str, content: bytes, remedy: str = "") -> dict[str, Any]:
    """A TOML file's tables.

    Raises:
        CodegenError: It is not TOML; with the line that the parser's message ends in.
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
    """The keys of a table's header, once it is parsed."""
    keys: list[str] = []
    while is_table(header) and header:
        ((key, inner),) = header.items()
        keys.append(key)
        header = inner[0] if is_list(inner) else inner
    return tuple(keys)


def _paths(data: object) -> Iterator[Keys]:
    """The keys of everything in a statement, tables within it included."""
    for key, value in data.items() if is_table(data) else ():
        yield (key,)
        yield from ((key, *rest) for rest in _paths(value))
