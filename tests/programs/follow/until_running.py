"""Watch a run until it is running, and its root action until it ends."""

import asyncio

import flyte
from flyte.remote import Task


async def main() -> None:
    await flyte.init_from_config.aio()
    run = await flyte.run.aio(Task.get("weather.listen", auto_version="latest"), station="Sylt")
    async for details in run.watch():
        if details.is_running or details.done():
            break
    print(run.name == details.run_name, run.phase.value, details.done())
    await run.abort.aio()
    phases = [details.phase.value async for details in run.action.watch()]
    print(phases[-1], run.action.done())


asyncio.run(main())

# Prints:
# True running False
# aborted True
