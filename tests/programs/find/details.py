"""Print a run, and hand its details to another program as JSON."""

import json

import flyte
from flyte.remote import Action, Run, RunDetails, Task

flyte.init_from_config()

name = flyte.run(Task.get("weather.summary", auto_version="latest"), values=[1.0]).name
Run.get(name=name).wait(quiet=True)

print(Run.get(name))
details = RunDetails.get(name)
print(details.name == name, details.task_name, details.done())
print(sorted(details.to_dict()), json.loads(details.to_json())["action"]["status"]["phase"])
print(Action.get(run_name=name, name="a0").to_dict()["id"]["name"])

# Prints:
# Run(...name='r...'...weather.summary...)
# True weather.summary True
# ['action', 'runSpec'] ACTION_PHASE_SUCCEEDED
# a0
