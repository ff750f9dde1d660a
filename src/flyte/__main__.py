"""`python -m flyte`: the commands of this package."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from flyte_rpc.terminal import print_line

_USAGE = """\
usage: python -m flyte COMMAND

  doctor    test the connection to a control plane
  devbox    run a control plane on this machine
"""


def main(arguments: Sequence[str]) -> int:
    """Run a command. Returns the exit code."""
    match arguments:
        case ["doctor", *rest]:
            from flyte.doctor.main import main as doctor

            return doctor(rest)
        case ["devbox", *rest]:
            from flyte.devbox.__main__ import main as devbox

            return devbox(rest)
        case [] | ["-h" | "--help"]:
            print_line(_USAGE.rstrip(), sys.stdout)
            return 0 if arguments else 2
        case _:
            print_line(f"flyte: there is no command {arguments[0]!r}\n{_USAGE.rstrip()}", sys.stderr)
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
