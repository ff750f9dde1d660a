"""Print the logs of a run, with and without their times."""

import flyte
from flyte.remote import Task

flyte.init_from_config()

run = flyte.run(Task.get("weather.fahrenheit", auto_version="latest"), celsius=3.0)
run.show_logs(max_lines=100, raw=True, filter_system=True)
run.wait(quiet=True)
run.action.show_logs(attempt=1, max_lines=100, show_ts=True, raw=True)

# Prints:
# converting 3.0
# done
# ...20...-...-...T...:...:... converting 3.0
# ...20...-...-...T...:...:... done
