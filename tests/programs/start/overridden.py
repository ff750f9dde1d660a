"""Run a task with more memory, retries and an environment variable, without deploying it again."""

import flyte
from flyte.remote import Task

flyte.init_from_config()

task = Task.get("weather.variable", auto_version="latest")
larger = task.override(
    short_name="larger",
    resources=flyte.Resources(cpu="1", memory="256Mi"),
    retries=flyte.RetryStrategy(count=2),
    env_vars={"REGION": "coast"},
    timeout=60,
)
run = flyte.run(larger, name="REGION")
run.wait(quiet=True)
print(run.outputs()[0])

requests, limits = larger.fetch().resources
print([(int(entry.name), entry.value) for entry in requests], "was", list(task.fetch().resources[0]))

# Prints:
# coast
# [(1, '1'), (3, '256Mi')] was []
