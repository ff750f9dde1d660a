"""Packs the source of a function and of its local imports, so that later edits have no effect."""

from __future__ import annotations

import hashlib
import inspect
import io
import logging
import os
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from attrs import frozen

from flyte.types.files.listing import walk

_log = logging.getLogger("flyte.devbox")

_MAX_BYTES = 20 << 20
_LONG_AGO = (1980, 1, 1, 0, 0, 0)
_STARTED = ("__main__", "__mp_main__")
"""Module names of the program itself; multiprocessing uses the second one in child processes."""
_ELSEWHERE = ("site-packages", "dist-packages")


@frozen
class Snapshot:
    """A function that a worker can load."""

    archive: bytes
    """Zip file of sources; the same sources give the same bytes."""
    target: str
    """`module:<dotted name>`, or `script:<file name>` for a program that was started by its path."""
    function: str
    """Qualified name inside the module."""
    module: str
    """Name of the module, as shown to people."""
    root: str
    """Directory of the sources. Later imports are looked up there."""

    @property
    def digest(self) -> str:
        """A hash of the sources."""
        return hashlib.sha256(self.archive).hexdigest()


def take(function: Callable[..., Any]) -> Snapshot:
    """Pack a function's source.

    For a module in a package, that is the whole package. Other modules imported from the same directory are included;
    installed packages are not.

    Raises:
        TypeError: It is not a function that can be imported by module and name.
        ValueError: There is no source file, or the sources are too large.
    """
    module = _module_of(function)
    file = Path(inspect.getfile(module)).resolve()
    name = _import_name(module)
    root = file.parent if name is None else _root(file, name)
    tops = {file.name if name is None else name.partition(".")[0]}
    if not _is_installed(root):
        tops |= _neighbours(root)
    archive = _pack(root, tops, title=f"{module.__name__}.{function.__qualname__}")
    target = f"script:{file.name}" if name is None else f"module:{name}"
    return Snapshot(archive, target, function.__qualname__, file.stem if name is None else name, str(root))


def _module_of(function: Callable[..., Any]) -> ModuleType:
    if not inspect.isfunction(function):
        raise TypeError(f"flyte.devbox.deploy takes a function, not {type(function).__name__} ({function!r})")
    where, name = function.__module__, function.__qualname__
    advice = (
        "a worker process must be able to import it: define it with `def` or `async def` at the top level of a .py file"
    )
    if function.__name__ == "<lambda>":
        raise TypeError(f"a lambda in {where} cannot be deployed; {advice}")
    if "<locals>" in name:
        raise TypeError(f"{name} of {where} is defined inside a function and cannot be deployed; {advice}")
    module = sys.modules.get(where)
    if module is None or not getattr(module, "__file__", None):
        raise TypeError(
            f"{name} was not read from a file (a notebook or an interactive session) and cannot be deployed; {advice}"
        )
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is not function:
        raise TypeError(
            f"{where}.{name} is not this function (it was decorated or replaced) and cannot be deployed; {advice}"
        )
    if not Path(inspect.getfile(module)).suffix == ".py":
        raise TypeError(f"{where} is not a Python source file ({inspect.getfile(module)}); {advice}")
    return module


def _import_name(module: ModuleType) -> str | None:
    """Return the import name of a module; None for a script that was started by its path."""
    if module.__name__ not in _STARTED:
        return module.__name__
    # A module started with `python -m package.module` keeps that name.
    return None if module.__spec__ is None else module.__spec__.name


def _root(file: Path, name: str) -> Path:
    """Return the directory from which a module is imported."""
    parts = name.split(".")
    if file.name == "__init__.py" and parts[-1] != "__init__":
        parts.append("__init__")
    expected = [*parts[:-1], f"{parts[-1]}.py"]
    if list(file.parts[-len(expected) :]) != expected:
        raise ValueError(f"the module {name} is in {file} and cannot be imported from there by that name")
    return file.parents[len(expected) - 1]


def _neighbours(root: Path) -> set[str]:
    """Return the top-level names of modules imported from below a directory."""
    found: set[str] = set()
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if not isinstance(file, str) or not file.endswith(".py") or name in _STARTED:
            continue
        path = Path(file).resolve()
        if path.is_relative_to(root) and not _is_installed(path):
            found.add(path.relative_to(root).parts[0].removesuffix(".py"))
    return found


def _is_installed(path: Path) -> bool:
    standard = Path(os.__file__).resolve().parent
    return path.is_relative_to(standard) or any(part in _ELSEWHERE for part in path.parts)


def _pack(root: Path, tops: set[str], title: str) -> bytes:
    buffer, total = io.BytesIO(), 0
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(file for top in tops for file in _sources(root, top, title)):
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                _log.warning("%s is not deployed with %s: it has disappeared", path, title)
                continue
            total += len(data)
            if total > _MAX_BYTES:
                raise ValueError(
                    f"{title}: its package and what it imports beside it have more than {_MAX_BYTES >> 20} MB of source; "
                    "move the function to a smaller package"
                )
            archive.writestr(zipfile.ZipInfo(path.relative_to(root).as_posix(), _LONG_AGO), data)
    return buffer.getvalue()


def _sources(root: Path, top: str, title: str) -> Iterator[Path]:
    """Yield the source files of a top-level module, package or script. Warn of entries that only look like source files."""
    single = root / (top if top.endswith(".py") else f"{top}.py")
    if single.is_file():
        yield single
    if not (root / top).is_dir():
        return
    for entry in walk(root / top, enters=_may_have_sources, takes=lambda name: name.endswith(".py")):
        if entry.problem:
            _log.warning("%s is not deployed with %s: %s", entry, title, entry.problem)
        else:
            yield entry.path


def _may_have_sources(name: str) -> bool:
    return name != "__pycache__" and not name.startswith(".")
