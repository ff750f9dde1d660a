"""Abort a run, and read the reason."""

import flyte
import flyte.errors
from flyte.remote import Run, Task

flyte.init_from_config()

run = flyte.run(Task.get("weather.listen", auto_version="latest"))
run.wait(wait_for="running", quiet=True)
run.abort(reason="The station is closed")
run.wait(quiet=True)

details = Run.get(run.name).details()
print(details.action_details.phase.value, "-", details.action_details.abort_info.reason)
try:
    run.raise_for_status()
except flyte.errors.ActionAbortedError as error:
    print("closed" in str(error))
Run.get(run.name).abort()  # aborting an ended run is no error

# Prints:
# aborted - The station is closed
# True
