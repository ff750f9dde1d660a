"""Use plain calls while an event loop runs, as in the cells of a Jupyter notebook."""

import asyncio

import flyte
import flyte.remote as remote


async def cells() -> None:
    flyte.init_from_config()
    flyte.run(remote.Task.get("weather.fahrenheit", auto_version="latest"), celsius=5.0).wait(quiet=True)
    names = [run.name for run in remote.Run.listall()]
    run = remote.Run.get(name=names[-1])
    details = run.details()
    print(repr(details.action_details).partition("(")[0], details.task_name)
    print(run.inputs(), run.outputs())
    run.show_logs()
    print(await details.inputs.aio(), await details.action_details.outputs.aio())
    await run.action.wait.aio(quiet=True)
    print((await run.action.details.aio()).phase.value)


asyncio.run(cells())

# Prints:
# ActionDetails weather.fahrenheit
# {'celsius': 5.0, 'digits': 1} ActionOutputs(o0=41.0)
# converting 5.0
# done
# {'celsius': 5.0, 'digits': 1} ActionOutputs(o0=41.0)
# succeeded
