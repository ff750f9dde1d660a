"""Pass metadata of your own to the tasks of a run."""

import flyte
from flyte.remote import Task

flyte.init_from_config()

task = Task.get("weather.metadata", auto_version="latest")
print(flyte.with_runcontext(custom_context={"customer": "acme"}).run(task).name[0])
with flyte.custom_context(customer="umbrella", tier="gold"):
    run = flyte.run(task)
run.wait(quiet=True)
print(run.outputs()[0])

# Prints:
# r
# {'customer': 'umbrella', 'tier': 'gold'}
