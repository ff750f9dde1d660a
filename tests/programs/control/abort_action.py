"""Abort actions of a run from outside."""

import flyte
from flyte.models import ActionPhase
from flyte.remote import Action, Task

flyte.init_from_config()

run: flyte.remote.Run = flyte.run(Task.get("weather.listen", auto_version="latest"))
run.wait(wait_for="running", quiet=True)
for action in Action.listall(for_run_name=run.name, in_phase=[ActionPhase.RUNNING]):
    print(action.name, action.phase.name)
    action.abort("Aborted from outside")
run.wait(quiet=True)
print(run.phase.value, Action.get(run_name=run.name, name="a0").phase.value)

# Prints:
# a0 RUNNING
# aborted aborted
