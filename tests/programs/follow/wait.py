"""Wait for the start of a run and for its end, and look at its details."""

import flyte
from flyte.remote import ActionDetails, Task

flyte.init_from_config()

run = flyte.run(Task.get("weather.week", auto_version="latest"), celsius=[1.0])
run.wait(wait_for="running", quiet=True)
print(run.phase in ("running", "succeeded"))
run.wait()

details = ActionDetails.get(run_name=run.name, name="a0")
print(details.run_name == run.name, details.task_name, details.attempts, details.is_running)
print([transition.phase.value for transition in details.get_phase_transitions()][-1])
print(details.runtime.total_seconds() > 0, details.running_time.total_seconds() > 0)

# Prints:
# True
# True weather.week 1 False
# succeeded
# True True
