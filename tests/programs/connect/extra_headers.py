"""Send headers of your own with each call in a block."""

import flyte
import flyte.remote as remote

flyte.init_from_config()

with remote.auth_metadata(("x-team", "vision"), ("x-ticket", "42")):
    runs = list(remote.Run.listall(limit=2))
print(len(runs), "runs")

# Prints:
# 0 runs
