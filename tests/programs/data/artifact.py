"""Run a task on the newest version of an artifact."""

import flyte
from flyte.io import File
from flyte.remote import Artifact, Task

flyte.init_from_config()

Artifact.create(File.from_existing_remote("s3://weather/june.csv"), name="measurements", version="june")

table = Artifact.get("measurements")
run = flyte.run(Task.get("weather.lines", auto_version="latest"), source=table)
print(run.name, "reads", table.name, table.version, table.to_python().uri)

# Prints:
# r1 reads measurements june s3://weather/june.csv
