"""Files, directories and data frames under the import path of the official SDK. They are those of `flyte.types`."""

from flyte.types import DataFrame, Dir, File

__all__ = ["DataFrame", "Dir", "File"]
