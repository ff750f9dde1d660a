"""The process that runs a deployed Python function: `python -m flyte.devbox.executor.processes.worker ARCHIVE TARGET FUNCTION ROOT`.

It reads inputs.pb, calls the function and writes outputs.pb, or error.pb with exit code 1. It imports little, because
every task waits for its imports.
"""

from __future__ import annotations

import inspect
import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from flyte_api.messages.flyteidl2.task.common import Inputs

_OWN = (os.path.dirname(os.path.abspath(__file__)), os.path.join(os.path.dirname(os.__file__), "importlib"), "")
"""Directories of code to leave out of tracebacks; frozen modules have none."""
_SCRIPT = "__flyte_main__"


class _Unusable(Exception):
    """Inputs or result do not fit the function, so a retry would not help."""


def main(archive: str, target: str, function: str, root: str) -> int:
    """Run the function. Return the exit code.

    Args:
        archive: `file://` URI of the source snapshot.
        target: Module or script in the snapshot; see `Snapshot.target`.
        function: The function's qualified name.
        root: Directory to look up imports that are not in the snapshot.
    """
    outputs = Path(os.environ["FLYTE_OUTPUT_PATH"])
    try:
        _run(archive, target, function, root, outputs)
    except BaseException as error:
        # SystemExit too: such a task has not returned outputs.
        text = _describe(error)
        print(text, file=sys.stderr, end="", flush=True)
        _write_error(outputs, error, text)
        return 1
    return 0


def _run(archive: str, target: str, name: str, root: str, outputs: Path) -> None:
    from flyte._context import custom_context
    from flyte_api.messages.flyteidl2.task.common import Inputs

    file = os.environ["FLYTE_INPUT_PATH"]
    try:
        inputs = Inputs.parse(Path(file).read_bytes() if file else b"")
        texts = {pair.key: pair.value for pair in inputs.context}
    except (OSError, ValueError) as error:
        raise _Unusable(f"the inputs cannot be read: {error}") from error
    with custom_context(**texts):
        _call(_load(_unpack(archive), target, name, root), inputs, outputs)


def _call(function: Callable[..., Any], inputs: Inputs, outputs: Path) -> None:
    from flyte.types import arguments_of, interface_of, result_to_literals
    from flyte_api.messages.flyteidl2.task.common import Outputs

    try:
        arguments = arguments_of(function, inputs.literals)
    except (TypeError, ValueError) as error:
        raise _Unusable(f"the inputs cannot be used: {error}") from error
    result = function(**arguments)
    if inspect.isawaitable(result):
        import asyncio

        async def awaited() -> Any:
            return await result

        result = asyncio.run(awaited())
    try:
        literals = result_to_literals(interface_of(function)[0], result)
    except (TypeError, ValueError) as error:
        raise _Unusable(f"the result cannot be used: {error}") from error
    _write(outputs / "outputs.pb", bytes(Outputs(literals=literals)))


def _unpack(archive: str) -> Path:
    """Return the directory of the unpacked snapshot, which all its actions share."""
    from urllib.parse import unquote, urlsplit

    file = Path(unquote(urlsplit(archive).path))
    directory = file.with_suffix("")
    if not directory.is_dir():
        import shutil
        import zipfile

        # Several workers may unpack it concurrently; the first to rename its copy wins.
        part = file.with_name(f".{file.stem}.{os.getpid()}")
        zipfile.ZipFile(file).extractall(part)
        try:
            part.rename(directory)
        except OSError:
            shutil.rmtree(part, ignore_errors=True)
    return directory


def _load(directory: Path, target: str, name: str, root: str) -> Callable[..., Any]:
    """Import the module of the snapshot (not as `__main__`), and find the function."""
    import importlib
    import importlib.util

    sys.path[0:0] = [str(directory)]
    sys.path.append(root)
    kind, _, module_name = target.partition(":")
    if kind == "script":
        # Imported by path and under a separate name: a script may have the name of an installed module.
        spec = importlib.util.spec_from_file_location(_SCRIPT, directory / module_name)
        if spec is None or spec.loader is None:
            raise ImportError(f"{module_name} cannot be imported")
        found: Any = importlib.util.module_from_spec(spec)
        sys.modules[_SCRIPT] = found
        spec.loader.exec_module(found)
    else:
        found = importlib.import_module(module_name)
    for part in name.split("."):
        found = getattr(found, part)
    return found  # type: ignore[no-any-return]


def _describe(error: BaseException) -> str:
    """Return the traceback, starting with the function's own code."""
    if isinstance(error, _Unusable):
        return f"{error}\n"
    frames = start = error.__traceback__
    while frames is not None:
        # Frames between ours belong to the machinery that calls the function, such as asyncio.
        if os.path.dirname(frames.tb_frame.f_code.co_filename) in _OWN:
            start = frames.tb_next
        frames = frames.tb_next
    return "".join(traceback.format_exception(type(error), error, start))


def _write_error(outputs: Path, error: BaseException, text: str) -> None:
    from flyte.errors import BaseRuntimeError
    from flyte_api.messages.flyteidl2.core.execution import (
        ContainerError,
        ContainerErrorKind,
        ErrorDocument,
        ExecutionErrorErrorKind,
    )

    told = str(error)
    if "\n" in told:
        # The message comes first, so its first line suffices below. Otherwise messages of nested tasks would double.
        text = text.replace(told, told.partition("\n")[0])
    cause = error.__cause__ if isinstance(error, _Unusable) and error.__cause__ is not None else error
    document = ErrorDocument(
        error=ContainerError(
            code=cause.code if isinstance(cause, BaseRuntimeError) else type(cause).__name__,
            message=f"{told}\n\n{text}" if told and not isinstance(error, _Unusable) else text,
            kind=ContainerErrorKind.NON_RECOVERABLE if isinstance(error, _Unusable) else ContainerErrorKind.RECOVERABLE,
            origin=ExecutionErrorErrorKind.USER,
        )
    )
    _write(outputs / "error.pb", bytes(document))


def _write(path: Path, data: bytes) -> None:
    """Write a file atomically."""
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(data)
    part.replace(path)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
