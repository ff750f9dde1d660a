"""Read and change the settings of a project."""

import flyte
from flyte.remote import Settings

flyte.init_from_config()

settings = Settings.get_settings_for_edit(project="weather", domain="development")
print(settings.scope_description(), settings.local_overrides())
settings.update_settings({"run.default_queue": "night", "labels": {"team": "vision"}})
again = Settings.get_settings_for_edit(project="weather", domain="development")
print(again.local_overrides())

# Prints:
# PROJECT(development/weather) {}
# {'run.default_queue': 'night', 'labels': {'team': 'vision'}}
