"""Check that tasks are deployed before a program depends on them."""

import flyte
import flyte.errors
from flyte.remote import Task

flyte.init_from_config()


def deployed(name: str, project: str, domain: str) -> bool:
    try:
        Task.get(name, project=project, domain=domain, auto_version="latest").fetch()
    except flyte.errors.RemoteTaskNotFoundError as error:
        print(type(error).__name__)
        return False
    return True


for name in ("weather.measure", "weather.mesure"):
    print(name, deployed(name, flyte.current_project(), flyte.current_domain()))

# Prints:
# weather.measure True
# RemoteTaskNotFoundError
# weather.mesure False
