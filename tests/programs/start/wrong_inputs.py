"""Wrong inputs fail at once, before a run is started."""

import flyte
import flyte.errors
from flyte.remote import Run, Task

flyte.init_from_config()

task = Task.get("weather.fahrenheit", auto_version="latest")
for inputs in ({}, {"celsius": 1.0, "digit": 2}, {"celsius": "warm"}):
    try:
        flyte.run(task, **inputs)
    except (flyte.errors.RemoteTaskUsageError, TypeError) as error:
        print(type(error).__name__)
print(list(Run.listall()))

# Prints:
# RemoteTaskUsageError
# RemoteTaskUsageError
# TypeError
# []
