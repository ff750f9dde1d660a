"""Deploy a trigger, switch it off and on, and delete it."""

import flyte
from flyte.remote import Trigger

flyte.init_from_config()

hourly = flyte.Trigger.hourly(inputs={"celsius": 20.0}, auto_activate=False)
trigger = Trigger.create(hourly, task_name="weather.fahrenheit")
print(trigger.name, trigger.task_name, trigger.is_active)

Trigger.update("hourly", "weather.fahrenheit", True)
print([(each.name, each.is_active) for each in Trigger.listall(task_name="weather.fahrenheit", limit=10)])
Trigger.update(name="hourly", task_name="weather.fahrenheit", active=False)
details = Trigger.get(name="hourly", task_name="weather.fahrenheit")
print(details.name, details.task_name, details.is_active)

Trigger.delete("hourly", task_name="weather.fahrenheit")
print(list(Trigger.listall()))

# Prints:
# hourly weather.fahrenheit False
# [('hourly', True)]
# hourly weather.fahrenheit False
# []
