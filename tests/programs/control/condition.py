"""Answer the question that a run waits for."""

import time

import flyte
import flyte.remote as remote

flyte.init_from_config()

run = flyte.run(remote.Task.get("weather.publish", auto_version="latest"), title="Forecast")
while not (conditions := list(remote.Condition.listall(run_name=run.name))):
    time.sleep(0.05)
condition = next((each for each in conditions if each.name == "review"), conditions[0])
print(condition.action_name, condition.run_name == run.name)

condition.signal(True)
run.wait(quiet=True)
print(run.outputs()[0])

# Prints:
# review-1 True
# Forecast: review succeeded
