"""Answer the question that a run waits for."""

import time

import flyte
import flyte.remote as remote

flyte.init_from_config()

run = flyte.run(remote.Task.get("weather.publish", auto_version="latest"), title="Forecast")
while not (condition := remote.Condition.get("review", run_name=run.name)):
    time.sleep(0.05)
print(condition.name, condition.run_name == run.name, condition.expected_type)
print([(each.name, each.action_name) for each in remote.Condition.listall(run_name=run.name)])

condition.signal(True)
run.wait(quiet=True)
print(run.outputs()[0])

# Prints:
# review True <class 'bool'>
# [('review', 'review-1')]
# Forecast: review succeeded
