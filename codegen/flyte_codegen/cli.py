"""The command `flyte-codegen`, which is there in every installation, while what it needs comes with an extra."""

from __future__ import annotations

import os
import sys

_EXTRA = frozenset({"google", "grpc_tools", "jinja2"})


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    try:
        from .commands.main import run

        code = run(argv)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # The reader of our output, such as `head`, has closed it. Write nothing more, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130
    except ModuleNotFoundError as cause:
        if (cause.name or "").partition(".")[0] not in _EXTRA:
            raise
        print(f"flyte-codegen needs {cause.name}: pip install 'flyte-remote[codegen]'", file=sys.stderr)
        return 1
