"""Run one version of a deployed task in a given project, and read its inputs and outputs."""

import flyte
from flyte.remote import Task

flyte.init_from_config()

task = Task.get("weather.summary", project=flyte.current_project(), domain=flyte.current_domain(), version="v1")
run = flyte.run(task, values=[1.5, 2.5, 5.0], station="Zugspitze")
run.wait(quiet=True)
text, mean, count = run.outputs()
print(text, mean, count)
print(run.outputs().named_outputs)
print(sorted(run.inputs().items()))

# Prints:
# Zugspitze: 1.5 to 5.0 3.0 3
# {'o0': 'Zugspitze: 1.5 to 5.0', 'o1': 3.0, 'o2': 3}
# [('station', 'Zugspitze'), ('values', [1.5, 2.5, 5.0])]
