"""Find an app, stop it and start it again."""

import flyte
from flyte.remote import App

flyte.init_from_config()

for app in App.listall(limit=10):
    print(app.name, app.is_active(), app.endpoint)

app = App.get(name="forecast")
app.deactivate(wait=True)
print("down:", App.get(name="forecast").is_deactivated())
app.activate(wait=True)
app = App.get("forecast")
print("up:", app.is_active(), app.revision, app.url)

with app.ephemeral_ctx_sync():
    print("desired:", app.desired_state)
App.delete("forecast")
print(list(App.listall()))

# Prints:
# forecast True https://forecast.apps.example.com
# down: True
# up: True 3 http://127.0.0.1:.../apps/forecast
# desired: ...
# []
