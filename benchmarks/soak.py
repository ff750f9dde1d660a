"""Work with a devbox over a network that keeps failing, and count what was lost, doubled or left unknown.

python benchmarks/soak.py [--minutes N] [--lifetime SECONDS] [--seed N]

The devbox has a process of its own. A forwarder cuts all connections at random moments. Behind it, one client with its
default settings starts runs, watches them, reads their logs and lists them. In the end, everything is compared with what the
devbox has, and the script fails if a goal is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import flyte.devbox
from flyte import Client, errors
from flyte.remote import Run, Task, TaskDetails

STARTERS = 6
LISTERS = 2
LISTED = 100
LINES = 20
GRACE_SECONDS = 120.0
"""For what has begun when the time is over."""

GROWTH_MEGABYTES = 48.0
"""By which the memory of the client's process may grow after the first minute."""


def talk(number: int) -> int:
    """Write numbered lines for about a second."""
    for line in range(LINES):
        print(f"{number}/{line}", flush=True)
        time.sleep(0.04)
    return number


class Forwarder:
    """Forwards TCP connections, and cuts each after a random time, in one of several ways."""

    def __init__(self, target: str, lifetime: float, seed: int) -> None:
        """Describe the faults.

        Args:
            target: The endpoint to forward to.
            lifetime: Mean seconds until a connection is cut. One of seven lives five times as long.
            seed: Chooses the faults.
        """
        where = urlsplit(target)
        self._lifetime = lifetime
        self._target = (where.hostname, where.port)
        self._chance = random.Random(seed)
        self._tasks: set[asyncio.Task[None]] = set()
        self.faults: Counter[str] = Counter()
        self.connections = 0

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[str, None]:
        """Forward until the block ends. Gives the endpoint."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            await self._forward(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass  # one of the two has gone, or the forwarder is stopped
        finally:
            writer.transport.abort()
            self._tasks.discard(task)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        fault = self._chance.choices(("late", "reset", "close", "stall", "refuse"), (15, 45, 25, 5, 10))[0]
        self.faults[fault] += 1
        if fault == "refuse":
            return
        up_reader, up_writer = await asyncio.open_connection(*self._target)
        pumps = [asyncio.ensure_future(_pump(*pair)) for pair in ((reader, up_writer), (up_reader, writer))]
        lifetime = self._chance.expovariate(1.0) * self._lifetime * (5 if fault == "late" else 1)
        try:
            await asyncio.wait(pumps, timeout=lifetime, return_when=asyncio.FIRST_COMPLETED)
            if fault == "stall" and not pumps[1].done():
                # The client's bytes arrive and nothing comes back, until somebody gives up.
                pumps[1].cancel()
                await asyncio.wait(pumps[:1], timeout=5.0)
            if fault == "close":
                writer.close()
                up_writer.close()
                with suppress(OSError):
                    await writer.wait_closed()
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            up_writer.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 14):
        writer.write(data)
        await writer.drain()


class Counts(logging.Handler):
    """Everything that is counted. As a log handler, it counts warnings: the client logs one per reconnected stream."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.reconnected = 0
        self.started = 0
        self.acknowledged: dict[str, int] = {}
        """The number of each run by its name."""
        self.unknown: list[str] = []
        """Errors after which a run may exist or not."""
        self.failed: list[str] = []
        """Calls that failed although nothing was wrong with them."""
        self.lines_lost = 0
        self.lines_doubled = 0
        self.finals = 0
        self.listings = 0
        self.missing_in_listings = 0
        self.attempts = 0
        self.broken_attempts = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.reconnected += 1


async def start_and_follow(client: Client, task: TaskDetails, counts: Counts, end: float) -> None:
    """Start runs one after another, and watch each to its end while its log is read."""
    while time.monotonic() < end:
        counts.started += 1
        number = counts.started
        try:
            run = await flyte.run.aio(task, number=number)
        except errors.RpcError as error:
            (counts.failed if getattr(error, "unprocessed", False) else counts.unknown).append(f"start: {error}")
            continue
        counts.acknowledged[run.name] = number
        try:
            await asyncio.gather(watch(run, counts), read_log(run, number, counts))
        except errors.RpcError as error:
            counts.failed.append(f"follow: {error}")


async def watch(run: Run, counts: Counts) -> None:
    """Watch a run until it ends."""
    last = ""
    async for details in run.watch():
        last = str(details.phase)
    counts.finals += last == "succeeded"


async def read_log(run: Run, number: int, counts: Counts) -> None:
    """Read the log of a run while it is written."""
    seen = Counter([line async for line in run.get_logs()])
    counts.lines_lost += sum(f"{number}/{line}" not in seen for line in range(LINES))
    counts.lines_doubled += sum(seen.values()) - len(seen)


async def list_and_get(client: Client, counts: Counts, end: float) -> None:
    """List the newest runs, and fetch one of them."""
    while time.monotonic() < end:
        known = list(counts.acknowledged)[-LISTED // 2 :]
        try:
            names = [run.name async for run in Run.listall(limit=LISTED, client=client)]
            if known:
                await Run.get.aio(random.choice(known), client=client)
        except errors.RpcError as error:
            counts.failed.append(f"list: {error}")
            continue
        counts.listings += 1
        counts.missing_in_listings += len(set(known) - set(names))
        await asyncio.sleep(0.2)


def megabytes() -> float:
    """The memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def descriptors() -> int:
    """How many files and sockets this process has open."""
    return len(os.listdir("/proc/self/fd"))


class Row(NamedTuple):
    """A line of the table, and whether its goal is reached."""

    what: str
    value: object
    goal: str = ""
    reached: bool = True

    def __str__(self) -> str:
        verdict = "" if self.reached else "MISSED"
        return f"{self.what:<48}{self.value!s:>10}  {self.goal:<12}{verdict}"


@contextmanager
def devbox() -> Iterator[tuple[str, str]]:
    """A devbox in a process of its own. Gives its endpoint and its token."""
    with tempfile.TemporaryDirectory(prefix="flyte-soak-") as folder:
        command = [sys.executable, "-m", "flyte.devbox", "--dir", folder]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                said = dict(process.stdout.readline().strip().split(":", 1) for _ in range(3))
                yield said["endpoint"].strip(), Path(said["token file"].strip()).read_text().strip()
            finally:
                process.terminate()
                process.wait(60)


async def soak(endpoint: str, token: str, minutes: float, lifetime: float, seed: int) -> list[Row]:
    """Work for some minutes, and compare the counts with the server."""
    counts = Counts()
    for name in ("flyte", "flyte_rpc"):
        logging.getLogger(name).addHandler(counts)
    scope = {"token": token, "project": "flytesnacks", "domain": "development"}
    async with Client(endpoint, **scope) as direct:
        task = await flyte.devbox.deploy.aio(talk, client=direct)
        gc.collect()
        descriptors_before = descriptors()
        forwarder = Forwarder(endpoint, lifetime, seed)
        samples: list[float] = []
        async with forwarder.running() as cut:
            await work(cut, scope, task, minutes, counts, samples)
        await asyncio.sleep(0)  # sockets that were closed are gone after one turn of the loop
        runs = [run async for run in Run.listall(client=direct)]
    gc.collect()
    descriptors_after = descriptors() + 1  # the direct client had one connection before
    tasks = len(asyncio.all_tasks()) - 1
    return rows(counts, forwarder, runs, samples, descriptors_after - descriptors_before, tasks)


async def work(
    endpoint: str, scope: dict[str, str], task: TaskDetails, minutes: float, counts: Counts, samples: list[float]
) -> None:
    """Run the workers until the time is over."""

    def observe(record: flyte.CallRecord) -> None:
        counts.attempts += 1
        counts.broken_attempts += record.error is not None

    end = time.monotonic() + 60 * minutes
    async with Client(endpoint, on_call=observe, **scope) as client:
        found = await Task.get(task.name, version=task.version, client=client).fetch.aio()
        workers = [start_and_follow(client, found, counts, end) for _ in range(STARTERS)]
        workers += [list_and_get(client, counts, end) for _ in range(LISTERS)]
        running = asyncio.gather(*workers)
        while not running.done():
            await asyncio.wait([running], timeout=15)
            samples.append(megabytes())
            left = end - time.monotonic()
            print(f"{left:6.0f} s left, {counts.started} runs, {samples[-1]:.0f} MB", file=sys.stderr, flush=True)
            if left < -GRACE_SECONDS:
                running.cancel()
                break
        try:
            await running
        except asyncio.CancelledError:
            counts.failed.append(f"something still ran {GRACE_SECONDS:.0f} s after the end")


def rows(
    counts: Counts, forwarder: Forwarder, runs: list[Run], samples: list[float], descriptors_left: int, tasks: int
) -> list[Row]:
    """Return the table."""
    present = {run.name for run in runs}
    lost = set(counts.acknowledged) - present
    twice = len(present) - len(counts.acknowledged) - len(counts.unknown)
    succeeded = sum(run.phase == "succeeded" for run in runs)
    growth = samples[-1] - samples[min(3, len(samples) - 1)]
    for text in (counts.failed + counts.unknown)[:10]:
        print(text, file=sys.stderr)
    faults = ", ".join(f"{count} {fault}" for fault, count in sorted(forwarder.faults.items()))
    print(f"faults: {faults}", file=sys.stderr)
    return [
        Row("connections, each of them cut", forwarder.connections),
        Row("attempts of calls", counts.attempts),
        Row("  of these broken", counts.broken_attempts),
        Row("watches and logs that reconnected", counts.reconnected),
        Row("runs started", counts.started, "> 0", counts.started > 0),
        Row("  acknowledged", len(counts.acknowledged)),
        Row("  acknowledged but not at the server", len(lost), "0", not lost),
        Row("  of unknown outcome", len(counts.unknown), "0", not counts.unknown),
        Row("  created twice", max(twice, 0), "0", twice <= 0),
        Row("final phases seen by watches", counts.finals, "all", counts.finals == len(counts.acknowledged)),
        Row("succeeded at the server", succeeded, "all", succeeded == len(present)),
        Row("log lines read", LINES * len(counts.acknowledged) - counts.lines_lost),
        Row("  lost", counts.lines_lost, "0", not counts.lines_lost),
        Row("  doubled", counts.lines_doubled, "0", not counts.lines_doubled),
        Row("listings", counts.listings),
        Row("  runs missing in them", counts.missing_in_listings, "0", not counts.missing_in_listings),
        Row("operations that failed", len(counts.failed), "0", not counts.failed),
        Row("memory at the end, MB", f"{samples[-1]:.0f}"),
        Row(
            "  grown since the first minute", f"{growth:.0f}", f"<= {GROWTH_MEGABYTES:.0f}", growth <= GROWTH_MEGABYTES
        ),
        Row("descriptors left open", descriptors_left, "0", descriptors_left <= 0),
        Row("asyncio tasks left", tasks, "0", not tasks),
    ]


def main() -> int:
    """Run the soak test and print the table. Returns the exit code."""
    parser = argparse.ArgumentParser(description="Work with a devbox over a network that keeps failing.")
    parser.add_argument("--minutes", type=float, default=10.0, help="how long; default 10")
    parser.add_argument("--lifetime", type=float, default=2.0, help="mean seconds of a connection; default 2")
    parser.add_argument("--seed", type=int, default=1, help="chooses the faults; default 1")
    given = parser.parse_args()
    # The forwarder writes to sockets that it has just closed.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    with devbox() as (endpoint, token):
        table = asyncio.run(soak(endpoint, token, given.minutes, given.lifetime, given.seed))
    print("\n".join(map(str, table)))
    return 0 if all(row.reached for row in table) else 1


if __name__ == "__main__":
    sys.exit(main())
