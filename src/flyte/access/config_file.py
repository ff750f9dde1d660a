"""Reading the configuration file that Flyte tools share."""

from __future__ import annotations

import difflib
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from flyte.errors import InitializationError

from .keys import BY_FILE_KEY, OTHER_KEYS, given_path
from .yaml_depth import check_depth

SEARCHED = (
    "config.yaml and .flyte/config.yaml in the working directory, .flyte/config.yaml in the root of the git repository, "
    "the files in UCTL_CONFIG and FLYTECTL_CONFIG, ~/.union/config.yaml and ~/.flyte/config.yaml"
)
"""Where a configuration file is looked for, for error messages."""


_NULL = "tag:yaml.org,2002:null"
_MERGE = "tag:yaml.org,2002:merge"
_DEEPEST_MERGE = 20
_SECTIONS_OF_OTHERS = ("tasks",)
"""Sections of other tools whose names are near to those of ours."""


class FileValue(NamedTuple):
    """A value in a file."""

    value: Any
    line: int


class ConfigFile(NamedTuple):
    """The settings of a configuration file."""

    path: Path
    values: dict[str, FileValue]
    """By `section.key`."""


def find_config() -> Path | None:
    """The first configuration file that exists, in the order of Flyte tools.

    Raises:
        InitializationError: `UCTL_CONFIG` or `FLYTECTL_CONFIG` names a file that does not exist.
    """
    return next((path for path, variable in _places() if _exists(path, variable)), None)


def _places() -> Iterator[tuple[Path, str]]:
    """Where a file may be, with the environment variable that says so."""
    here = Path.cwd()
    yield here / "config.yaml", ""
    yield here / ".flyte" / "config.yaml", ""
    if root := _git_root(here):
        yield root / ".flyte" / "config.yaml", ""
    for variable in ("UCTL_CONFIG", "FLYTECTL_CONFIG"):
        if value := os.environ.get(variable, "").strip():
            yield Path(value).expanduser(), variable
    home = Path(os.path.expanduser("~"))
    yield home / ".union" / "config.yaml", ""
    yield home / ".flyte" / "config.yaml", ""


def _git_root(folder: Path) -> Path | None:
    return next((parent for parent in (folder, *folder.parents) if (parent / ".git").exists()), None)


def _exists(path: Path, variable: str) -> bool:
    if path.is_file():
        return True
    if variable:
        raise InitializationError(f"The environment variable {variable} names {path}, which is not a file.")
    return False


def config_file(
    path: str | os.PathLike[str] | None, root_dir: str | os.PathLike[str] | None = None
) -> ConfigFile | None:
    """Read a configuration file.

    Args:
        path: The file. Default: the first that exists in the places of Flyte tools.
        root_dir: The folder at which a relative path starts.

    Returns:
        The file; None if no path is given and none exists.

    Raises:
        InitializationError: The file does not exist, or is not valid.
    """
    if path is None:
        found = find_config()
        return None if found is None else read_config(found)
    where = _expanded(given_path("path", path))
    if root_dir is not None:
        where = _expanded(given_path("root_dir", root_dir)) / where
    if not where.is_file():
        raise InitializationError(
            f"There is no configuration file {where}. Without a path, the first of these is used: {SEARCHED}."
        )
    return read_config(where)


def _expanded(path: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise InitializationError(f"{path!r} begins with a user that does not exist.") from None


def read_config(path: Path) -> ConfigFile:
    """Read a configuration file.

    Unknown keys in the sections `admin` and `task` are warned of. All other sections belong to other tools.

    Raises:
        InitializationError: The file cannot be read, is not valid YAML, or has a section of the wrong form.
    """
    import yaml

    try:
        text = path.read_bytes()
    except OSError as error:
        raise InitializationError(f"The configuration file {path} cannot be read: {error.strerror or error}.") from None
    try:
        check_depth(text)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, ValueError) as error:
        raise InitializationError(f"{_at(path, error)} is not valid YAML: {_problem(error)}.") from None
    values: dict[str, FileValue] = {}
    for section, node, line in _entries(path, root, "the file"):
        if section in OTHER_KEYS:
            for key, value, at in _entries(path, node, f"the section {section}"):
                _check_key(path, section, key, at)
                if f"{section}.{key}" in BY_FILE_KEY:
                    values[f"{section}.{key}"] = FileValue(_plain(path, value), at)
        elif not section:
            raise InitializationError(f"{path}, line {line}: the name of a section is missing.")
        else:
            _check_section(path, section, line)
    return ConfigFile(path, values)


def _entries(path: Path, node: Any, what: str) -> Iterator[tuple[str, Any, int]]:
    """The keys and values of a mapping, with line numbers. An empty file or section has none."""
    import yaml

    if node is None or (isinstance(node, yaml.ScalarNode) and node.tag == _NULL):
        return
    if not isinstance(node, yaml.MappingNode):
        raise InitializationError(
            f"{path}, line {node.start_mark.line + 1}: {what} must consist of lines of the form `key: value`."
        )
    seen: set[str] = set()
    for key, value in node.value:
        name, line = str(key.value), key.start_mark.line + 1
        if name in seen:
            raise InitializationError(f"{path}, line {line}: {name} is set twice in {what}.")
        seen.add(name)
        if key.tag != _MERGE:
            yield name, value, line
    for key, value in _merged(path, node):
        if (name := str(key.value)) not in seen:
            seen.add(name)
            yield name, value, key.start_mark.line + 1


def _merged(path: Path, node: Any, depth: int = 0) -> Iterator[tuple[Any, Any]]:
    """What `<<` takes from other mappings, the nearest first."""
    import yaml

    if depth > _DEEPEST_MERGE:
        raise InitializationError(f"{path}, line {node.start_mark.line + 1}: the mapping takes entries from itself.")
    for key, value in node.value:
        if key.tag == _MERGE:
            for source in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                if isinstance(source, yaml.MappingNode):
                    yield from ((k, v) for k, v in source.value if k.tag != _MERGE)
                    yield from _merged(path, source, depth + 1)


def _plain(path: Path, node: Any, depth: int = 0) -> Any:
    """The value of a setting: text as it is written, a list, or None. YAML's numbers would change names such as `007`."""
    import yaml

    if isinstance(node, yaml.ScalarNode):
        return None if node.tag == _NULL else node.value
    if isinstance(node, yaml.SequenceNode) and depth == 0:
        return [_plain(path, item, 1) for item in node.value]
    # No setting is a mapping or a list of lists, which aliases could make endless.
    return {} if isinstance(node, yaml.MappingNode) else []


def _check_section(path: Path, section: str, line: int) -> None:
    """Warn of a section that is probably a misspelt one of ours."""
    folded = section.lower()
    if folded in _SECTIONS_OF_OTHERS and section == folded:
        return
    if near := difflib.get_close_matches(folded, OTHER_KEYS, 1, 0.75):
        warnings.warn(
            f"{path}, line {line}: the section {section} has no effect. Did you mean {near[0]}?", stacklevel=3
        )


def _check_key(path: Path, section: str, key: str, line: int) -> None:
    if f"{section}.{key}" in BY_FILE_KEY or key in OTHER_KEYS[section]:
        return
    known = [name.partition(".")[2] for name in BY_FILE_KEY if name.startswith(f"{section}.")]
    folded = {name.lower(): name for name in known}
    near = difflib.get_close_matches(key.lower().replace("_", "").replace("-", ""), folded, 1, 0.6)
    advice = f"Did you mean {folded[near[0]]}?" if near else f"Known keys: {', '.join(sorted(known))}."
    warnings.warn(f"{path}, line {line}: {section}.{key} is not a setting and has no effect. {advice}", stacklevel=2)


def _at(path: Path, error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    return f"{path}, line {mark.line + 1}," if mark is not None else str(path)


def _problem(error: Exception) -> str:
    return str(getattr(error, "problem", None) or getattr(error, "reason", None) or error).splitlines()[0]
