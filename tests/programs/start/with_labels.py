"""Start a run with labels, annotations, environment variables and a name, and read them back."""

import uuid

import flyte
from flyte.remote import Run, Task

flyte.init_from_config()

name = f"nightly-{uuid.uuid4().hex[:8]}"
runner = flyte.with_runcontext(
    mode="remote",
    name=name,
    labels={"team": "vision"},
    annotations={"ticket": "42"},
    env_vars={"REGION": "alps"},
    overwrite_cache=True,
)
run = runner.run(Task.get("weather.variable", auto_version="latest"), name="REGION")
run.wait(quiet=True)
print(run.name == name, run.outputs()[0])

spec = Run.get(name).details().pb2.run_spec
print(
    dict(spec.labels.values), dict(spec.annotations.values), {env.key: env.value for env in spec.envs.values}["REGION"]
)

# Prints:
# True alps
# {'team': 'vision'} {'ticket': '42'} alps
