"""List deployed tasks, and read the definition of one."""

import flyte
from flyte.remote import Task

flyte.init_from_config()

for task in Task.listall(by_task_env="weather", sort_by=("name", "asc")):
    print(task.name, task.version)
print([task.name for task in Task.listall(by_task_name="weather.summary")])

details = Task.get("weather.fahrenheit", auto_version="latest").fetch()
print(details.name, details.version, details.task_type)
print("required:", details.required_args, "optional:", details.default_input_args)
print(details.interface)
print("cache:", details.cache.behavior, "secrets:", details.secrets)

# Prints:
# weather.fahrenheit v1
# weather.summary v1
# ['weather.summary']
# weather.fahrenheit v1 python
# required: ('celsius',) optional: ('digits',)
# (celsius: float, digits: int = ...) -> o0: float...
# cache: disable secrets: []
