"""Which value of a setting counts: the argument, the environment variable, or the configuration file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from flyte.errors import InitializationError

from .config_file import ConfigFile
from .keys import KEYS, Key


class Setting(NamedTuple):
    """The value of a setting, and where it comes from."""

    value: Any
    source: str
    """Such as `argument`, `FLYTE_PROJECT` or `config.yaml, line 3`."""


class Settings:
    """The settings of a connection. An argument overrides the environment, which overrides the file."""

    def __init__(self, arguments: Mapping[str, Any], file: ConfigFile | None) -> None:
        """Resolve all settings.

        Args:
            arguments: Arguments by name. None stands for an omitted one.
            file: The configuration file, if one is used.

        Raises:
            InitializationError: A variable or the file has a value that cannot be used.
        """
        self.file = file
        self._found: dict[str, Setting] = {}
        for key in KEYS:
            setting = _resolve(key, arguments.get(key.name), file)
            if setting is not None:
                self._found[key.name] = setting

    def __getitem__(self, name: str) -> Any:
        """The value of a setting; None if it is unset."""
        setting = self._found.get(name)
        return None if setting is None else setting.value

    def source(self, name: str) -> str:
        """Where the value of a setting comes from; empty if it is unset."""
        setting = self._found.get(name)
        return "" if setting is None else setting.source


def _resolve(key: Key, argument: Any, file: ConfigFile | None) -> Setting | None:
    if argument is not None:
        return Setting(argument, "argument")
    for variable in key.variables:
        text = os.environ.get(variable, "").strip()
        if text:
            return Setting(_read(key, text, f"The environment variable {variable}"), variable)
    if file is not None and key.in_file in file.values:
        value, line = file.values[key.in_file]
        if value is not None and value != "":
            where = f"{file.path}, line {line}"
            return Setting(_read(key, value, f"{where}: {key.in_file}"), where)
    return None


def _read(key: Key, value: Any, where: str) -> Any:
    try:
        return key.read(value)
    except ValueError as error:
        shown = "" if key.secret else f" {value!r}"
        problem = str(error) if str(error).startswith("must") else "cannot be read"
        raise InitializationError(f"{where} is{shown}; it {problem}.") from None
