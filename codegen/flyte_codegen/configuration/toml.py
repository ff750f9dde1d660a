"""Read tables of a TOML file and collect all errors: unknown keys, missing keys, values of the wrong type."""

from __future__ import annotations

import difflib
import keyword
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Set
from typing import Any

from flyte_codegen.diagnostics import Diagnostic, error

from .lines import Keys, Source, is_list, is_table

_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NAME = re.compile(rf"(?!({'|'.join(keyword.kwlist)})\Z)[A-Za-z_][A-Za-z0-9_]*")

_LISTED = 20
"""The most names that an error lists in full."""
_SIMILAR = 3
_WILDCARDS = str.maketrans("", "", "*?[]!")


def is_name(text: str) -> bool:
    """Whether a string is a valid Python name."""
    return bool(_NAME.fullmatch(text))


def nearest(name: str, known: Collection[str]) -> str:
    """Return a remedy for a misspelt name: the most similar known name, else all known names."""
    near = difflib.get_close_matches(name, known, n=1)
    if near:
        return f"did you mean {near[0]}?"
    if len(known) > _LISTED:
        return f"the most similar are {', '.join(similar(name, known))}"
    return f"known: {', '.join(sorted(known)) or 'none'}"


def similar(name: str, known: Collection[str]) -> list[str]:
    """Return the known names that are the most similar to a name or to the text of a pattern, closest first."""
    text = name.translate(_WILDCARDS)
    return difflib.get_close_matches(text, known, n=_SIMILAR, cutoff=0)


class Section:
    """A table. Reading a key makes the key known; `finish` reports missing and unknown keys."""

    def __init__(self, source: Source, keys: Keys, table: object, findings: list[Diagnostic]) -> None:
        self.source, self.keys, self.findings = source, keys, findings
        self.path = ".".join(key if _KEY.fullmatch(key) else f'"{key}"' for key in keys)
        self.table: dict[str, Any] = table if is_table(table) else {}
        self._is_table = is_table(table)
        self._asked: set[str] = set()
        self._missing: list[str] = []
        self._inherited: Set[str] = frozenset()
        if not is_table(table):
            self._report("", f"[{self.path}] is not a table")

    def text(self, key: str, default: str = "", *, among: Collection[str] = ()) -> str:
        """Return the string at a key."""
        value: str = self._value(key, default, "a string", lambda v: isinstance(v, str))
        if among and value and value not in among:
            self._report(key, f"{self._at(key)} is {value!r}, which is not a known value", nearest(value, among))
        return value

    def required(self, key: str) -> str:
        """Return the string at a required key. `finish` reports the key if it is missing."""
        if key not in self.table:
            self._missing.append(key)
        return self.text(key)

    def shaped(self, key: str, default: str, pattern: re.Pattern[str], what: str) -> str:
        """Return the string at a key, which must match `pattern`; errors call the pattern `what`."""
        value = self.text(key, default)
        if value and not pattern.fullmatch(value):
            self._report(key, f"{self._at(key)} is {value!r}, which is not {what}")
        self.refuse_empty(key)
        return value

    def name(self, key: str) -> str:
        """Return the string at a key, which must be a Python name."""
        return self.shaped(key, "", _NAME, "a valid Python name")

    def number(self, key: str) -> int:
        """Return the number at a key; 0 if it is missing."""
        value: int = self._value(key, 0, "an integer of at least 0", _is_count)
        return value

    def flag(self, key: str) -> bool:
        """Return the boolean at a key; False if it is missing."""
        value: bool = self._value(key, False, "true or false", lambda v: isinstance(v, bool))
        return value

    def texts(self, key: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Return the list of strings at a key."""
        return tuple(self._value(key, default, "a list of strings", _is_texts))

    def mapping(self, key: str, *, names: str = "") -> Mapping[str, str]:
        """Return the table of strings at a key. `names` is "keys" or "values" if those must be Python names."""
        value: dict[str, str] = self._value(key, {}, "a table of strings", _is_text_table)
        inner = self._inner(key, value)
        if names == "keys":
            inner.check_names()
        for name in value if names == "values" else ():
            inner.name(name)
        return value

    def named_paths(self, key: str) -> Mapping[str, str]:
        """Return the paths at a key by name, from a list of paths, named by their last part, and of tables of paths by name."""
        found: dict[str, str] = {}
        for item in self._value(key, [], "a list of paths", is_list):
            named = item if is_table(item) else {str(item).rpartition(".")[2]: item}
            for name, path in named.items():
                if isinstance(path, str) and keyword.iskeyword(name):
                    remedy = f'write {{ {name}_ = "{path}" }}'
                    self.refuse(key, f"has {path!r}, but {name} is a Python keyword", remedy)
                elif not isinstance(path, str) or not is_name(name):
                    self.refuse(key, f"has {item!r}, which is not a path", 'write "path.to.field" or { name = "path" }')
                elif name in found:
                    self.refuse(key, f"has {name} twice", f'rename one with {{ another_name = "{path}" }}')
                else:
                    found[name] = path
        return found

    def check_names(self) -> None:
        """Report keys that are not Python names."""
        for key in self.table:
            if not _NAME.fullmatch(key):
                self.refuse(key, "is not a valid Python name")

    def refuse(self, key: str, why: str, remedy: str = "") -> None:
        """Report an error about the value at a key."""
        self._report(key, f"{self._at(key)} {why}", remedy)

    def refuse_repeated(self, *keys: str) -> None:
        """Report lists that name something twice."""
        for key in keys:
            values: list[str] = self.table[key] if _is_texts(self.table.get(key)) else []
            for value in dict.fromkeys(values):
                if values.count(value) > 1:
                    self.refuse(key, f"names {value} twice", "name it once")

    def refuse_empty(self, *keys: str) -> None:
        """Report keys that are set to an empty string, where that means nothing."""
        for key in keys:
            if self.table.get(key) == "":
                self.refuse(key, "is empty", "set a value, or remove the line")

    def section(self, key: str) -> Section:
        """Return the table at a key; an empty one if it is missing."""
        return self._inner(key, self._value(key, {}, "a table", is_table))

    def sections(self, key: str) -> Iterator[tuple[str, Section]]:
        """Yield the tables within the table at a key, each with its name."""
        outer = self.section(key)
        for name, value in outer.table.items():
            # A list of tables means several tables with the same name.
            for item in value if is_list(value) else [value]:
                yield name, outer._inner(name, item)

    def over(self, defaults: object) -> Section:
        """Return the same table with values for keys that it does not set. Errors in these are reported where they stand."""
        if not is_table(defaults) or not self._is_table:
            return self
        found = Section(self.source, self.keys, {**defaults, **self.table}, self.findings)
        found._inherited = self._inherited | (defaults.keys() - self.table.keys())
        return found

    def finish(self) -> None:
        """Report missing and unknown keys. A misspelt key is reported as unknown only, not as missing too."""
        if not self._is_table:
            return
        unknown = [key for key in self.table if key not in self._asked]
        meant = {near for key in unknown for near in difflib.get_close_matches(key, self._asked, n=1)}
        for key in self._missing:
            if key not in meant:
                self._report(key, f"{self._at(key)} is missing", f'add {key} = "..."')
        for key in unknown:
            self._report(key, f"{self._at(key)} is not a known key", nearest(key, self._asked))

    def _inner(self, key: str, table: object) -> Section:
        return Section(self.source, (*self.keys, key), table, [] if key in self._inherited else self.findings)

    def _value(self, key: str, default: Any, what: str, fits: Callable[[object], bool]) -> Any:
        self._asked.add(key)
        value = self.table.get(key, default)
        if fits(value) or value is default:
            return value
        self._report(key, f"{self._at(key)} is not {what}")
        return default

    def _at(self, key: str) -> str:
        if not key:
            return f"[{self.path}]"
        return f"[{self.path}] {key}" if self.path else key

    def _report(self, key: str, message: str, remedy: str = "") -> None:
        if key in self._inherited:
            return
        self.findings.append(error(self.source.at((*self.keys, key) if key else self.keys), message, remedy))


def _is_texts(value: object) -> bool:
    return is_list(value) and all(isinstance(item, str) for item in value)


def _is_text_table(value: object) -> bool:
    return is_table(value) and all(isinstance(item, str) for item in value.values())


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
