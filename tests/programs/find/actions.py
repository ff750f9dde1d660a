"""Walk the actions of a workflow's run, from the root to its children."""

import flyte
from flyte.remote import Action, ActionDetails, Task

flyte.init_from_config()

run = flyte.run(Task.get("weather.week", auto_version="latest"), celsius=[0.0, 10.0, 20.0])
run.wait(quiet=True)

for action in Action.listall(for_run_name=run.name, sort_by=("created_at", "asc")):
    print(action.parent_name or "root", action.phase.value, action.done())

children = list(Action.listall(for_run_name=run.name, parent_name="a0", in_phase=["succeeded"]))
details = [ActionDetails.get(run_name=run.name, name=child.name) for child in children]
print({(child.task_name, child.attempts) for child in details}, sorted(child.outputs()[0] for child in details))

# Prints:
# root succeeded True
# a0 succeeded True
# a0 succeeded True
# a0 succeeded True
# {('weather.fahrenheit', 1)} [32.0, 50.0, 68.0]
