"""Classes of data frame libraries and of NumPy, recognized by name, so that no library is imported."""

from __future__ import annotations

import importlib
import typing
from typing import Any

from .errors import FrameError

_FRAMES = {"pandas": "DataFrame", "polars": "DataFrame", "pyarrow": "Table"}
_EXTRAS = {"pandas": "pandas", "polars": "polars", "pyarrow": "pandas", "numpy": "numpy"}

PARQUET = "parquet"
CSV = "csv"
FRAME_FORMATS = (PARQUET, CSV)
"""The formats that frames are stored in and read from."""

ARRAY_FORMAT = "npy"
ARRAY_TAG = "numpy.ndarray"


def frame_library(kind: Any) -> str:
    """Return the library of a class of data frames: "pandas", "polars" or "pyarrow"; empty for another class."""
    for base in _bases(kind):
        library = _package(base)
        if _FRAMES.get(library) == base.__qualname__:
            return library
    return ""


def is_array_class(kind: Any) -> bool:
    """Whether an annotation is `numpy.ndarray`, or `numpy.typing.NDArray[...]`."""
    origin = typing.get_origin(kind)
    kinds = _bases(origin if origin is not None else kind)
    return any(_package(base) == "numpy" and base.__qualname__ == "ndarray" for base in kinds)


def class_tag(kind: type) -> str:
    """Return the tag of a class of data frames, as in the official SDK: its full name."""
    return f"{kind.__module__}.{kind.__qualname__}"


def library_module(name: str) -> Any:
    """Import a module of an optional library.

    Raises:
        FrameError: It is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        extra = _EXTRAS[name.partition(".")[0]]
        raise FrameError(f"{error}; install it with pip install 'flyte-remote[{extra}]'") from error


def _package(kind: type) -> str:
    return str(kind.__module__).partition(".")[0]


def _bases(kind: Any) -> tuple[type, ...]:
    # A generic alias, such as list[int], passes for a class but has no bases.
    return getattr(kind, "__mro__", ()) if isinstance(kind, type) else ()
