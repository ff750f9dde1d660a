"""Watch a run until it ends, and print each new phase."""

import asyncio

import flyte
from flyte.remote import Task


async def main() -> None:
    await flyte.init_from_config.aio()
    run = await flyte.run.aio(Task.get("weather.fahrenheit", auto_version="latest"), celsius=20.0)
    phases = []
    async for details in run.watch():
        if details.phase not in phases:
            phases.append(details.phase)
    print(phases[-1].value, run.phase.value, details.attempts, details.done())
    spent = details.phase_durations
    print("running" in {phase.value for phase in spent}, sum(s.total_seconds() for s in spent.values()) > 0)


asyncio.run(main())

# Prints:
# succeeded succeeded 1 True
# True True
