"""Printing of logs."""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from contextlib import aclosing

from flyte_rpc.arguments import whole
from flyte_rpc.entities.idle import with_silences
from flyte_rpc.entities.stream import Stream
from flyte_rpc.terminal import print_line

from .line import LogLine


async def show(
    log: Stream[LogLine],
    max_lines: int | None,
    *,
    raw: bool = False,
    with_replica: bool = False,
    pause: float = 1.0,
    patience: float = 5.0,
) -> None:
    """Print a log. See `Run.show_logs`.

    Args:
        log: The lines.
        max_lines: Print only so many of the lines that exist, the last ones; None for all.
        raw: Print all lines, as they are.
        with_replica: Print the name of the replica in front of each line.
        pause: Seconds without a line after which the existing lines count as read.
        patience: Seconds after the first line after which the existing lines count as read.

    Raises:
        TypeError: `max_lines` is not an int.
        ValueError: `max_lines` is negative.
    """
    if max_lines is not None:
        whole("max_lines", max_lines, 0)

    def write(line: LogLine) -> None:
        replica = f"[{line.replica}] " if with_replica and line.replica and not raw else ""
        time = line.removesuffix(line.message)
        # Not through rich: it would wrap lines to the width of the screen and read brackets as markup.
        print_line(f"{time}{replica}{line.message}", sys.stdout)

    if max_lines is None or raw:
        async with aclosing(aiter(log)) as lines:
            async for line in lines:
                write(line)
        return
    last: deque[LogLine] = deque(maxlen=max_lines)
    clock = asyncio.get_running_loop().time
    end: float | None = None
    following = False
    async with aclosing(aiter(log)) as source, aclosing(with_silences(source, pause)) as found:
        async for each in found:
            if following:
                if each is not None:
                    write(each)
                continue
            if each is not None:
                end = clock() + patience if end is None else end
                last.append(each)
            if end is not None and (each is None or clock() >= end):
                following = True
                for line in last:
                    write(line)
                last.clear()
    for line in last:
        write(line)
