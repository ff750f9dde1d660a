"""Start several runs at once, and wait for all of them."""

import asyncio

import flyte
from flyte.remote import Task


async def main() -> None:
    await flyte.init_from_config.aio()
    task = Task.get("weather.fahrenheit", auto_version="latest")
    runs = await asyncio.gather(*(flyte.run.aio(task, celsius=float(value)) for value in range(5)))
    await asyncio.gather(*(run.wait.aio(quiet=True) for run in runs))
    outputs = await asyncio.gather(*(run.outputs.aio() for run in runs))
    print([each[0] for each in outputs])


if __name__ == "__main__":
    asyncio.run(main())

# Prints:
# [32.0, 33.8, 35.6, 37.4, 39.2]
