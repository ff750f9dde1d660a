"""Find all runs that wait for an answer, and answer them."""

import asyncio

import flyte
import flyte.remote as remote


async def main() -> None:
    await flyte.init_from_config.aio()
    task = remote.Task.get("weather.publish", auto_version="latest")
    runs = await asyncio.gather(*(flyte.run.aio(task, title=title) for title in ("Rain", "Snow")))
    answered: set[str] = set()
    while len(answered) < len(runs):
        async for run in remote.Run.listall.aio(paused_actions_only=True):
            async for condition in remote.Condition.listall.aio(run_name=run.name):
                if run.name not in answered:
                    await condition.signal.aio(True)
                    answered.add(run.name)
        await asyncio.sleep(0.05)
    for run in runs:
        await run.wait.aio(quiet=True)
        print((await run.outputs.aio())[0])


asyncio.run(main())

# Prints:
# Rain: review succeeded
# Snow: review succeeded
