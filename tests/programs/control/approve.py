"""Answer a question by its name."""

import time

import flyte
import flyte.remote as remote

flyte.init_from_config()


def answer(run_name: str, question: str, value: bool) -> None:
    while True:
        try:
            condition = remote.Condition.get(question, run_name=run_name)
            break
        except flyte.errors.NotFoundError:
            time.sleep(0.05)
    print(condition.name, condition.expected_type)
    condition.signal(value)


run = flyte.run(remote.Task.get("weather.publish", auto_version="latest"), title="Forecast")
answer(run.name, "review", True)
run.wait(quiet=True)
print(run.outputs()[0])

# Prints:
# review <class 'bool'>
# Forecast: review succeeded
