"""The command `flyte-codegen`. Every installation has the command; its dependencies come with the extra `codegen`."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec

from flyte_rpc.installation import conflict

_EXTRA = frozenset({"google", "grpc_tools", "jinja2"})


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    if problem := _overwritten():
        print(f"flyte-codegen: {problem}", file=sys.stderr)
        return 1
    try:
        from .commands.main import run

        code = run(argv)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # The reader of our output, such as `head`, has closed the pipe. Write nothing more, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130
    except ModuleNotFoundError as cause:
        if (cause.name or "").partition(".")[0] not in _EXTRA:
            raise
        print(f"flyte-codegen needs {cause.name}: pip install 'flyte-remote[codegen]'", file=sys.stderr)
        return 1


def _overwritten() -> str | None:
    """Explain what is wrong with the package `flyte`, which the official SDK also installs."""
    spec = find_spec("flyte")
    if spec is None or not spec.submodule_search_locations:
        return None
    folder, whole = next(iter(spec.submodule_search_locations)), spec.origin is not None
    return conflict("flyte", folder, whole=whole, marker="_initialize.py", ours="flyte-remote", theirs="flyte")
