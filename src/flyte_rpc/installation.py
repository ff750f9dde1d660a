"""Detects two distributions that have overwritten each other's files in the same import package."""

from __future__ import annotations

from pathlib import Path


def conflict(package: str, folder: str, *, whole: bool, marker: str, ours: str, theirs: str) -> str | None:
    """Check whether a package folder is a mixture of two distributions, or the remains of one.

    Args:
        package: Import name of the package.
        folder: The folder of the package.
        whole: Whether the package has an `__init__` module.
        marker: A file that only the other distribution installs.
        ours: The distribution that calls this.
        theirs: The other distribution.

    Returns:
        The problem and the commands that fix it; None if there is no problem.
    """
    if Path(folder, marker).exists():
        return (
            f"The distributions {ours} and {theirs} both install the package {package!r}, and have overwritten each "
            f"other's files in {folder}.\nRemove both, then install the one you need:\n"
            f"    pip uninstall --yes {theirs} {ours}\n    pip install {ours}\n"
            f"To use both, install each in its own virtual environment."
        )
    if not whole:
        return (
            f"The package {package!r} in {folder} is incomplete: uninstalling {theirs} has removed files of {ours}.\n"
            f"Install it again:\n    pip install --force-reinstall --no-deps {ours}"
        )
    return None
