"""Upload a file of this machine, and pass it to a task."""

import hashlib
from pathlib import Path

import flyte
from flyte.io import File
from flyte.remote import Task, upload_file

flyte.init_from_config()

table = Path("temperatures.csv")
table.write_text("1.5\n2.5\n5.0\n")
digest, uri = upload_file(table, fname="table.csv")
print(digest == hashlib.md5(table.read_bytes()).hexdigest(), uri.endswith("table.csv"))

run = flyte.run(Task.get("weather.lines", auto_version="latest"), source=File.from_existing_remote(uri))
run.wait(quiet=True)
print(run.outputs()[0])

# Prints:
# True True
# 3
