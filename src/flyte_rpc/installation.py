"""Two distributions that install the same import package overwrite each other's files. This is the check for it."""

from __future__ import annotations

from pathlib import Path


def conflict(package: str, folder: str, *, whole: bool, marker: str, ours: str, theirs: str) -> str | None:
    """Say whether the folder of a package is a mixture of two distributions, or what is left of one.

    Args:
        package: Import name of the package.
        folder: The folder it is installed in.
        whole: Whether the package has an `__init__` module.
        marker: A file that only the other distribution installs there.
        ours: The distribution that calls this.
        theirs: The other distribution.

    Returns:
        What is wrong and the commands that mend it; None if nothing is wrong.
    """
    if Path(folder, marker).exists():
        return (
            f"The distributions {ours} and {theirs} both install the package {package!r}, and have overwritten each "
            f"other's files in {folder}.\nRemove both, then install the one you need:\n"
            f"    pip uninstall --yes {theirs} {ours}\n    pip install {ours}\n"
            f"To use both, install each in a virtual environment of its own."
        )
    if not whole:
        return (
            f"The package {package!r} in {folder} is incomplete: uninstalling {theirs} has removed files of {ours}.\n"
            f"Install it again:\n    pip install --force-reinstall --no-deps {ours}"
        )
    return None
