"""Read why a run failed."""

import flyte
import flyte.errors
from flyte.remote import Action, ActionDetails, Task

flyte.init_from_config()

run = flyte.run(Task.get("weather.careful", auto_version="latest"), values=[1.0, -300.0])
run.wait(quiet=True)
print(run.phase.value)
details = run.details()
print("absolute zero" in details.action_details.error_info.message)

for action in Action.listall(for_run_name=run.name, in_phase=("failed",)):
    if action.parent_name is None:
        continue
    failed = ActionDetails.get(run_name=run.name, name=action.name)
    print(failed.task_name, "-", failed.error_info.message.strip().splitlines()[-1])
try:
    run.raise_for_status()
except flyte.errors.RuntimeUserError as error:
    print(type(error).__name__, error.code)

# Prints:
# failed
# True
# weather.measure - ...-300.0 is below absolute zero
# RuntimeUserError ValueError
