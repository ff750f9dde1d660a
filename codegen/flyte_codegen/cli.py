"""The command `flyte-codegen`, which is there in every installation, while what it needs comes with an extra."""

from __future__ import annotations

import sys

_EXTRA = frozenset({"google", "grpc_tools", "jinja2"})


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    try:
        from .commands import run

        return run(argv)
    except ModuleNotFoundError as cause:
        if (cause.name or "").partition(".")[0] not in _EXTRA:
            raise
        print(f"flyte-codegen needs {cause.name}: pip install 'flyte-remote[codegen]'", file=sys.stderr)
        return 1
