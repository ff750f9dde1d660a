"""List the runs of a task in some phases."""

import flyte
from flyte.models import ActionPhase
from flyte.remote import Run, Task

flyte.init_from_config()

measure = Task.get("weather.measure", auto_version="latest")
for value in (20.5, -300.0, 3.0):
    flyte.run(measure, value=value).wait(quiet=True)

good = list(Run.listall(in_phase=("succeeded",), task_name="weather.measure"))
bad = list(Run.listall(in_phase=(ActionPhase.FAILED, "aborted", "TIMED_OUT"), task_version="v1"))
print("good:", len(good), "bad:", len(bad), [run.phase.value for run in bad])
print("other tasks:", list(Run.listall(task_name="weather.summary")))

# Prints:
# good: 2 bad: 1 ['failed']
# other tasks: []
