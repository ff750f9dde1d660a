"""List only the newest runs, with a limit."""

import flyte
from flyte.remote import Run, Task

flyte.init_from_config()

task = Task.get("weather.fahrenheit", version="v1")
names = [flyte.run(task, celsius=float(value)).name for value in range(4)]

newest = list(Run.listall(limit=2, sort_by=("created_at", "desc")))
print([run.name for run in newest] == names[:1:-1])
for run in newest:
    print(run.name, run.action.task_name, run.url)

# Prints:
# True
# r... weather.fahrenheit http://.../runs/r...
# r... weather.fahrenheit http://.../runs/r...
