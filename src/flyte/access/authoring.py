"""Arguments of the official SDK for writing and deploying tasks, which have no meaning here."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping
from typing import Any

_ARGUMENTS = frozenset(
    (
        "batch_size",
        "image_builder",
        "image_registry",
        "images",
        "load_plugin_type_transformers",
        "local_persistence",
        "local_tracked",
        "local_tracked_strict",
        "log_format",
        "log_level",
        "reset_root_logger",
        "root_dir",
        "source_config_path",
        "storage",
        "sync_local_sys_paths",
        "user_log_level",
    )
)

_noted: set[str] = set()
"""Arguments that a warning has named."""


def note(
    function: str, arguments: Mapping[str, Any], known: Collection[str] = _ARGUMENTS, *, stacklevel: int = 4
) -> None:
    """Warn of arguments without effect, the first time that each is given.

    Raises:
        TypeError: The official SDK has no such argument either.
    """
    unknown = sorted(set(arguments) - set(known))
    if unknown:
        raise TypeError(f"flyte.{function}() got an unexpected keyword argument {unknown[0]!r}")
    if fresh := sorted(set(arguments) - _noted):
        _noted.update(fresh)
        warnings.warn(
            f"flyte.{function}(): {', '.join(fresh)} of the official SDK {'has' if len(fresh) == 1 else 'have'} no effect "
            "in flyte-remote, which does not write or deploy tasks",
            stacklevel=stacklevel,
        )


def refuse(function: str, arguments: Mapping[str, Any], harmless: Mapping[str, Collection[object]]) -> None:
    """Refuse arguments that only the official SDK can honor.

    Args:
        function: The function that received them.
        arguments: Their values by name.
        harmless: The arguments of the official SDK, and for each the values that ask for nothing.

    Raises:
        TypeError: The official SDK has no such argument either.
        ValueError: A value asks for something.
    """
    for name, value in arguments.items():
        if name not in harmless:
            raise TypeError(f"flyte.{function}() got an unexpected keyword argument {name!r}")
        if not any(value is each or (isinstance(value, str) and value == each) for each in harmless[name]):
            raise ValueError(
                f"flyte.{function}() cannot honor {name}={value!r}: it is about tasks whose code is on this machine, and "
                "flyte-remote runs deployed tasks. Use the official SDK (the distribution `flyte`) to package, deploy or "
                "run code"
            )
