"""Print the logs of an app."""

import flyte
from flyte.remote import App

flyte.init_from_config()

app = App.get(name="forecast")
app.show_logs(max_lines=2, raw=True)
app.show_logs(max_lines=1)

# Prints:
# started
# answered GET /today
# [forecast-1] started
