"""Give the outputs of one run to the next."""

import flyte
from flyte.remote import Run, Task

flyte.init_from_config()

week = flyte.run(Task.get("weather.week", auto_version="latest"), celsius=[0.0, 100.0])
week.wait(quiet=True)

earlier = Run.get(week.name)
summary = flyte.run(Task.get("weather.summary", auto_version="latest"), values=earlier.outputs()[0])
summary.wait(quiet=True)
outputs = summary.outputs()
print(outputs.o0, outputs.o1, len(outputs))

# Prints:
# here: 32.0 to 212.0 122.0 3
