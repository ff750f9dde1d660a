"""Run the newest version of a deployed task, and print its result."""

import flyte
from flyte.remote import Task

flyte.init_from_config()

fahrenheit = Task.get("weather.fahrenheit", auto_version="latest")
run = flyte.run(fahrenheit, celsius=21.56)
print("run url:", run.url)
run.wait()
print(run.phase.value, run.done(), run.outputs())

# Prints:
# run url: http://127.0.0.1:.../runs/r...
# succeeded True ActionOutputs(o0=70.8)
