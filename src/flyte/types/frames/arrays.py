"""NumPy arrays as .npy files. No pickle is written or loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flyte.types.files.references import File

from .errors import FrameError
from .libraries import ARRAY_FORMAT, library_module
from .storing import local_copy, store

NAME = f"array.{ARRAY_FORMAT}"


def store_array(array: Any) -> File:
    """Write an array to a file, and upload it.

    Raises:
        FrameError: The array holds Python objects, or cannot be uploaded without a client.
        OSError: The file cannot be written.
    """
    if array.dtype.hasobject:
        raise FrameError(f"an array of dtype {array.dtype} holds Python objects, which only a pickle can store")

    def write(path: Path) -> None:
        with path.open("wb") as file:
            library_module("numpy").lib.format.write_array(file, array, allow_pickle=False)

    stored = store(write, NAME)
    return File(stored.uri, ARRAY_FORMAT, stored.digest)


def read_array(file: File) -> Any:
    """Read an array from a .npy file.

    Raises:
        FrameError: The file is not an array, holds pickled objects, has a scheme that cannot be read, or NumPy is missing.
        OSError: The file cannot be read.
    """
    numpy = library_module("numpy")
    with local_copy(file.uri) as path, path.open("rb") as opened:
        try:
            return numpy.lib.format.read_array(opened, allow_pickle=False)
        except ValueError as error:
            raise FrameError(f"the array cannot be read: {error}") from error
