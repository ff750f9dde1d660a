"""Create, list and delete secrets."""

import flyte
import flyte.errors
from flyte.remote import Secret

flyte.init_from_config()

Secret.create("api-key", value="s3cret")
Secret.create(name="token", value=b"\x00\x01", type="regular")
print(sorted((secret.name, secret.type) for secret in Secret.listall(limit=10)))
print(Secret.get(name="api-key"))
Secret.delete(name="token")
try:
    Secret.get("token")
except flyte.errors.NotFoundError:
    print("token is gone")

# Prints:
# [('api-key', 'regular'), ('token', 'regular')]
# Secret(name='api-key', type='regular', project='weather', domain='development', created_at=...)
# token is gone
