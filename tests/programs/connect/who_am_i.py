"""Ask the control plane who the caller is."""

import flyte
import flyte.remote as remote

flyte.init_from_config()

user = remote.User.get()
print({"subject": user.subject(), "name": user.name()})
print(user.pb2.email)

# Prints:
# {'subject': 'ada', 'name': 'Ada Lovelace'}
# ada@example.com
