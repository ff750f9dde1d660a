"""Abort all runs that have run for too long."""

import asyncio
from datetime import UTC, datetime, timedelta

import flyte
import flyte.remote as remote

LIMIT = timedelta(0)


async def start() -> None:
    task = remote.Task.get("weather.listen", auto_version="latest")
    runs = await asyncio.gather(*(flyte.run.aio(task, station=str(number)) for number in range(3)))
    await asyncio.gather(*(run.wait.aio(wait_for="running", quiet=True) for run in runs))


async def main() -> None:
    await flyte.init_from_config.aio("config.yaml")
    await start()
    running = [run async for run in remote.Run.listall.aio(in_phase=("running",))]
    latest = datetime.now(UTC) - LIMIT
    for run in running:
        if run.action.start_time < latest:
            await run.abort.aio()
    print(
        "aborted",
        len(running),
        "and now there are",
        len([r async for r in remote.Run.listall.aio(in_phase=("running",))]),
    )


asyncio.run(main())

# Prints:
# aborted 3 and now there are 0
