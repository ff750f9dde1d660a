"""List the runs of the last hour, and those since a given run."""

from datetime import UTC, datetime, timedelta

import flyte
from flyte.remote import Run, Task, TimeFilter

flyte.init_from_config()

task = Task.get("weather.fahrenheit", auto_version="latest")
first, second = (flyte.run(task, celsius=value) for value in (1.0, 2.0))
for run in (first, second):
    run.wait(quiet=True)

now = datetime.now(UTC)
today = Run.listall(created_at=TimeFilter(after=now - timedelta(hours=1)), sort_by=("created_at", "asc"))
print([run.name for run in today] == [first.name, second.name])

since = second.action.start_time
print([run.name for run in Run.listall(created_at=TimeFilter(after=since))] == [second.name])
print(list(Run.listall(updated_at=TimeFilter(before=now - timedelta(hours=1)))))

# Prints:
# True
# True
# []
