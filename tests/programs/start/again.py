"""Run a finished run again, with the same inputs and with a changed one."""

import flyte
from flyte.remote import Run, Task

flyte.init_from_config()

seed = flyte.run(Task.get("weather.fahrenheit", auto_version="latest"), celsius=10.0)
seed.wait(quiet=True)

same = Run.get(seed.name).rerun()
changed = Run.get(seed.name).rerun(celsius=100.0)
for run in (same, changed):
    run.wait(quiet=True)
    print(run.name != seed.name, run.phase, run.outputs()[0])

# Prints:
# True succeeded 50.0
# True succeeded 212.0
