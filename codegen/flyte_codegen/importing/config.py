"""``import.toml``: which wheels to read and which files to start from."""

import tomllib
from pathlib import Path

import attrs

from .problem import ImportProblem

FILE_NAME = "import.toml"


@attrs.frozen
class ImportConfig:
    """The settings of one ``protos/`` directory.

    Attributes:
        wheel: The source of the definitions: a pinned requirement (``flyteidl2==2.0.53``) or a path to a wheel.
        also: Further wheels, searched in order for imported files that the first one lacks.
        roots: The ``.proto`` files to import; files that they use are imported too.
    """

    wheel: str
    also: tuple[str, ...]
    roots: tuple[str, ...]

    @classmethod
    def load(cls, directory: Path) -> "ImportConfig":
        """Read ``import.toml`` of a protos directory. Raise ImportProblem if it is missing or has unknown keys."""
        path = directory / FILE_NAME
        try:
            table = tomllib.loads(path.read_text("utf-8"))
        except FileNotFoundError:
            raise ImportProblem(
                f'{path} does not exist; create it with `wheel = "name==version"` and `roots = ["package/file.proto"]`'
            ) from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ImportProblem(f"{path} is not valid TOML: {error}") from None
        unknown = sorted(set(table) - {"wheel", "also", "roots"})
        if unknown:
            raise ImportProblem(f"{path}: unknown key {unknown[0]!r}; the keys are wheel, also and roots")
        wheel = table.get("wheel", "")
        if not isinstance(wheel, str):
            raise ImportProblem(f"{path}: wheel must be a string")
        roots = _strings(path, "roots", table.get("roots"))
        if not roots:
            raise ImportProblem(f"{path}: roots is empty; list the .proto files to start from")
        return cls(wheel=wheel, also=_strings(path, "also", table.get("also", [])), roots=roots)


def _strings(path: Path, key: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ImportProblem(f"{path}: {key} must be a list of strings")
    found = tuple(item for item in value if isinstance(item, str))  # pyright: ignore[reportUnknownVariableType]
    if len(found) != len(value):  # pyright: ignore[reportUnknownArgumentType]
        raise ImportProblem(f"{path}: {key} must be a list of strings")
    return found
