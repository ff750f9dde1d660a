"""Files and directories under the import path of the official SDK. They are those of `flyte.types`."""

from flyte.types import Dir, File

__all__ = ["Dir", "File"]
