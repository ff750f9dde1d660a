"""Read the logs of a run line by line, while it runs and afterwards."""

import asyncio

import flyte
from flyte.remote import Run, Task


async def main() -> None:
    await flyte.init_from_config.aio()
    run = await flyte.run.aio(Task.get("weather.listen", auto_version="latest"), station="Sylt")
    async for line in run.get_logs.aio():
        print("live:", line.strip())
        await run.abort.aio("that is enough")
        break
    await run.wait.aio(quiet=True)
    print((await Run.get.aio(run.name)).phase.value)


asyncio.run(main())

again = flyte.run(Task.get("weather.fahrenheit", auto_version="latest"), celsius=4.0)
again.wait(quiet=True)
print([line.strip() for line in again.get_logs(attempt=1, filter_system=True)])

# Prints:
# live: listening to Sylt
# aborted
# ['converting 4.0', 'done']
