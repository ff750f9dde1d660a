"""See how wrong inputs fail before a run starts."""

import flyte
from flyte.remote import Run, Task

flyte.init_from_config()

task = Task.get("weather.summary", auto_version="latest")
for inputs in ({}, {"station": "Sylt"}, {"values": "warm"}):
    try:
        flyte.run(task, **inputs)
    except Exception as error:
        print("refused:", "values" in str(error))
print(list(Run.listall()))

# Prints:
# refused: True
# refused: True
# refused: True
# []
