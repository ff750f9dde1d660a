"""`python -m flyte.devbox`: run a devbox in the foreground until it is interrupted."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Sequence
from types import FrameType

from flyte_rpc.terminal import print_line

from .box import Devbox, start
from .home import DevboxError


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, start the devbox, and wait for SIGINT or SIGTERM. Return the exit code."""
    options = _parser().parse_args(arguments)
    ending = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        ending.set()

    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGTERM, end)
    try:
        box = start(
            dir=options.dir,
            port=options.port,
            memory=options.memory,
            parallel=options.parallel,
            grace=options.grace,
            trust_user=options.trust_user,
        )
    except (DevboxError, ValueError) as error:
        print_line(f"flyte.devbox: {error}", sys.stderr)
        return 1
    with box:
        print_line(_greeting(box, trust_user=options.trust_user), sys.stdout)
        ending.wait()
        print_line("stopping", sys.stdout)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m flyte.devbox",
        description="A Flyte control plane in one process. It executes tasks as processes on this machine.",
    )
    parser.add_argument("--dir", help="directory for all data (default: a temporary one)")
    parser.add_argument("--port", type=int, default=0, help="TCP port on 127.0.0.1 (default: a free one)")
    parser.add_argument("--memory", action="store_true", help="keep the database in memory")
    parser.add_argument(
        "--parallel", type=int, help="maximum number of concurrent actions (default: one per processor)"
    )
    parser.add_argument(
        "--grace", type=float, default=5.0, help="seconds between SIGTERM and SIGKILL for a task (default: 5)"
    )
    parser.add_argument(
        "--trust-user", action="store_true", help="accept calls without a token from processes of this user (Linux)"
    )
    return parser


def _greeting(box: Devbox, *, trust_user: bool) -> str:
    optional = "FLYTE_TOKEN is not needed in programs that your user runs on this machine.\n" if trust_user else ""
    return (
        f"endpoint:   {box.endpoint}\n"
        f"directory:  {box.dir}\n"
        f"token file: {box.token_file}\n"
        "\n"
        "Connect with\n"
        f"    export FLYTE_ENDPOINT={box.endpoint} FLYTE_PROJECT=flytesnacks FLYTE_DOMAIN=development\n"
        f'    export FLYTE_TOKEN="$(cat {box.token_file})"\n'
        "and flyte.init() in Python.\n"
        f"{optional}"
        "Stop the devbox with Ctrl-C."
    )


if __name__ == "__main__":
    sys.exit(main())
