"""Pass metadata of your own to the tasks of a run."""

import flyte
from flyte.remote import Task

flyte.init_from_config()

task = Task.get("weather.metadata", auto_version="latest")
run = flyte.with_runcontext(custom_context={"customer": "acme", "tier": "gold"}).run(task)
run.wait(quiet=True)
print(sorted(run.outputs()[0].items()))

# Prints:
# [('customer', 'acme'), ('tier', 'gold')]
