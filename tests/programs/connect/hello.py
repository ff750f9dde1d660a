"""Connect with the settings of config.yaml, and show where this program works."""

import flyte

flyte.init_from_config()

print("project:", flyte.current_project())
print("domain:", flyte.current_domain())

# Prints:
# project: p...
# domain: development
