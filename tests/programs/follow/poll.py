"""Poll the phase of a run by its name, as a scheduler of another system does."""

import time

import flyte
from flyte.remote import Run, Task

flyte.init_from_config()

name = flyte.run(Task.get("weather.measure", auto_version="latest"), value=1.0).name
polls = 0
while not (run := Run.get(name)).phase.is_terminal:
    polls += 1
    time.sleep(0.05)
print(run.phase.name, run.phase == "succeeded", run.phase.value, run.raw_phase)

# Prints:
# SUCCEEDED True succeeded 5
