"""Watch a run in plain code, and stop at the first sign that it runs."""

import flyte
from flyte.remote import Task

flyte.init_from_config()

run = flyte.run(Task.get("weather.listen", auto_version="latest"), station="Sylt")
for details in run.watch():
    if details.is_running or details.done():
        break
print(run.name == details.run_name, run.phase, details.done())
run.abort()
for action_details in run.action.watch():
    last = action_details
print(last.phase, run.done())

# Prints:
# True running False
# aborted True
