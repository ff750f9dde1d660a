"""The workflow of the task discovery document, as a module: its blocks in their order, as they stand there."""

# ruff: noqa: E402

import flyte

# document: Retrieving Specific Tasks
from flyte.remote import Task

# Retrieve a specific version of a task
lazy_task = Task.get(name="my_math_task", project="flytesnacks", domain="development", version="v1")
# end

# document: Task Overrides
from flyte import Resources, RetryStrategy

# Create a version of the task with more memory and a retry policy
overridden_task = lazy_task.override(
    resources=Resources(cpu="2", memory="1Gi"),
    retries=RetryStrategy(retries=3),
    env_vars={"LOG_LEVEL": "DEBUG"},
)
# end


# document: Execution Context and Constraints
# Correct usage within a workflow
@flyte.workflow
def my_workflow(val: int) -> int:
    # This will be submitted to the controller for remote execution
    return overridden_task(x=val)


# end
