"""Publish artifacts from outside of a task, and find them again."""

from datetime import UTC, datetime, timedelta

import flyte
from flyte.io import File
from flyte.remote import Artifact

flyte.init_from_config()

published = Artifact.create(
    File.from_existing_remote("s3://weather/model.bin"),
    name="forecast-model",
    version="v1",
    kind="model",
    description="Trained elsewhere",
    attrs={"stage": "test"},
    external_ref="lab://experiment/7",
)
print(f"view it at {published.url}")
Artifact.create(File.from_existing_remote("s3://weather/new.bin"), name="forecast-model", version="v2")

newest = Artifact.get("forecast-model")
print(newest.name, newest.version, Artifact.get("forecast-model", version="v1").source)
recent = Artifact.listall("forecast-model", datetime.now(UTC) - timedelta(days=36500), limit=5)
print([each.version for each in recent], [each.kind for each in Artifact.listall(kind="model", limit=-1)])

# Prints:
# view it at http://127.0.0.1:.../artifacts/forecast-model
# forecast-model v2 lab://experiment/7
# ['v2', 'v1'] ['model']
