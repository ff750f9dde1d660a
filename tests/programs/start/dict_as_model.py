"""Pass a dict where the task takes a dataclass, whose code is not here."""

import flyte
from flyte.remote import Task

flyte.init_from_config()

label = Task.get("weather.label", auto_version="latest")
whole = {"name": "Zugspitze", "height": 2962.0, "tags": ["alps", "snow"]}
for station in (whole, {"name": "Sylt"}):
    run = flyte.with_runcontext(mode="remote").run(label, station=station)
    run.wait(quiet=True)
    print(run.outputs()[0])

# Prints:
# Zugspitze at 2962 m (alps, snow)
# Sylt at 0 m (no tags)
