"""Print the logs of an app."""

import flyte
from flyte.remote import App

flyte.init_from_config()

App.get(name="forecast").show_logs(max_lines=10)

# Prints:
# [forecast-1] started
# [forecast-1] answered GET /today
