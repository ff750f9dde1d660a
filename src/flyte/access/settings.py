"""Which value of a setting counts: the argument, the environment variable, or the configuration file."""

from __future__ import annotations

import enum
import os
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple, TypeVar

from flyte.errors import InitializationError

from .config_file import ConfigFile
from .keys import KEYS, Key

T = TypeVar("T")


OF_NETWORK = (
    "ca_cert_file_path",
    "client_cert_file_path",
    "client_key_file_path",
    "insecure_skip_verify",
    "http_proxy_url",
)
"""The settings that a `Network` object replaces."""


class Rank(enum.IntEnum):
    """Where a setting comes from, the strongest first."""

    ARGUMENT = 0
    PLATFORM = 1
    ENVIRONMENT = 2
    FILE = 3


class Setting(NamedTuple):
    """The value of a setting, and where it comes from."""

    value: Any
    source: str
    """Such as `argument`, `FLYTE_PROJECT` or `config.yaml, line 3`."""
    rank: Rank


class Settings:
    """The settings of a connection. An argument overrides the environment, which overrides the file."""

    def __init__(
        self,
        arguments: Mapping[str, Any],
        file: ConfigFile | None,
        platform: Mapping[str, Setting] | None = None,
        *,
        omit: Collection[str] = (),
    ) -> None:
        """Resolve all settings.

        Args:
            arguments: Arguments by name. None stands for an omitted one.
            file: The configuration file, if one is used.
            platform: Settings that a cluster gives to its pods. They come after the arguments.
            omit: Settings that have no effect. They are not evaluated.

        Raises:
            TypeError: An argument has the wrong type.
            ValueError: An argument has a value that cannot be used.
            InitializationError: A variable or the file has a value that cannot be used.
        """
        self.file = file
        self._found: dict[str, Setting] = {}
        for key in KEYS:
            if key.name in omit:
                continue
            setting = _resolve(key, arguments.get(key.name), file, (platform or {}).get(key.name))
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

    def rank(self, name: str) -> Rank:
        """How strong the source of a setting is; that of an unset one is the weakest."""
        setting = self._found.get(name)
        return Rank.FILE if setting is None else setting.rank

    def checked(self, name: str, check: Callable[[Any], T]) -> T:
        """Pass the value of a setting to a function that raises if the value cannot be used.

        Raises:
            TypeError: The value is an argument of the wrong type.
            ValueError: The value is an argument that cannot be used.
            InitializationError: The value is from a variable or file. The message says which.
        """
        try:
            return check(self[name])
        except (TypeError, ValueError) as error:
            source = self.source(name)
            if source in ("", "argument"):
                raise
            raise InitializationError(
                f"{name}, which is set by {source}, cannot be used: {str(error).rstrip('.')}."
            ) from None


def _resolve(key: Key, argument: Any, file: ConfigFile | None, platform: Setting | None) -> Setting | None:
    if argument is not None:
        return Setting(key.given(key.name, argument), "argument", Rank.ARGUMENT)
    if platform is not None:
        return platform
    for variable in key.variables:
        text = os.environ.get(variable, "").strip()
        if text:
            return Setting(_read(key, text, f"The environment variable {variable}"), variable, Rank.ENVIRONMENT)
    if file is not None and key.in_file in file.values:
        value, line = file.values[key.in_file]
        if value is not None and value != "":
            where = f"{file.path}, line {line}"
            return Setting(_read(key, value, f"{where}: {key.in_file}"), where, Rank.FILE)
    return None


def _read(key: Key, value: Any, where: str) -> Any:
    try:
        return key.read(value)
    except ValueError as error:
        problem = str(error) if str(error).startswith("must") else "cannot be read"
        shown = "a mapping" if isinstance(value, dict) else "a list" if isinstance(value, list) else repr(value)
        what = f"{where} {problem}" if key.secret else f"{where} is {shown}; it {problem}"
        raise InitializationError(f"{what}.") from None
