"""Many children of one parent on the devbox: time, memory of the parent, and whether everything is right.

python benchmarks/fan_out.py [CHILDREN] [--map]
"""

from __future__ import annotations

import asyncio
import os
import resource
import sys
import time
from pathlib import Path

import flyte
from flyte.remote import Action, Task

_double = Task.get("fan_out.double", auto_version="latest")


@flyte.task
def double(x: int, fail_until: str = "") -> int:
    """Double a number; fail as long as a file has fewer than two lines."""
    if fail_until:
        path = Path(fail_until)
        tries = len(path.read_text().splitlines()) if path.exists() else 0
        if tries < 2:
            with path.open("a") as file:
                file.write("failed\n")
            raise ConnectionError("not yet")
    return 2 * x


@flyte.task
def endless() -> None:
    """Run until somebody ends it."""
    while True:
        time.sleep(1)


@flyte.workflow
async def fan_out(n: int, marker: str, by_map: bool) -> tuple[int, int, str]:
    """Call n children, one of them retried twice; wait for one that is aborted from outside."""
    stubborn = await _double.override.aio(retries=2)
    aborted = asyncio.ensure_future(Task.get("fan_out.endless", auto_version="latest")())
    last = asyncio.ensure_future(stubborn(x=n - 1, fail_until=marker))
    if by_map:
        results = await flyte.map(_double, range(n - 1))
    else:
        results = await asyncio.gather(*(_double(x=i) for i in range(n - 1)))
    results = [*results, await last]
    try:
        await aborted
        outcome = "returned"
    except flyte.errors.ActionAbortedError:
        outcome = "aborted"
    return sum(results), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, outcome


def main(children: int, by_map: bool) -> None:
    """Run it once and print what came out."""
    with flyte.devbox.start() as box:
        box.connect()
        for function in (double, endless):
            flyte.devbox.deploy(function, name=f"fan_out.{function.__name__}")
        marker = Path(box.dir, "marker")
        started = time.perf_counter()
        run = flyte.run(flyte.devbox.deploy(fan_out), n=children, marker=str(marker), by_map=by_map)
        while not (found := [a for a in Action.listall(run.name, in_phase=("running",)) if not a.is_root]):
            time.sleep(0.1)
        target = next((a for a in found if a.details().task_name == "fan_out.endless"), None)
        while target is None:
            running = [a for a in Action.listall(run.name, in_phase=("running",)) if not a.is_root]
            target = next((a for a in running if a.details().task_name == "fan_out.endless"), None)
        target.abort(reason="from outside")
        run.wait(quiet=True, timeout=3600)
        seconds = time.perf_counter() - started
        total, megabytes, outcome = run.outputs()
        phases = [str(a.phase) for a in Action.listall(run.name)]
        assert total == children * (children - 1), total
        assert outcome == "aborted" and phases.count("aborted") == 1
        assert phases.count("succeeded") == children + 1, phases
        print(
            f"{children} children: {seconds:.1f} s, {children / seconds:.1f}/s on {os.cpu_count()} cores, parent {megabytes} MB"
        )


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit()]
    main(numbers[0] if numbers else 1000, "--map" in sys.argv)
