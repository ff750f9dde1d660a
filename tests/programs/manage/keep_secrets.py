"""Create, list and delete secrets."""

import flyte
from flyte.remote import Secret

flyte.init_from_config()

Secret.create("api-key", value="s3cret")
Secret.create(name="token", value=b"\x00\x01", type="regular")
print(sorted((secret.name, secret.type) for secret in Secret.listall(limit=10)))

secret = Secret.get(name="api-key")
print(secret.name, secret.type, "s3cret" in str(secret))
Secret.delete(name="token")
print([secret.name for secret in Secret.listall()])

# Prints:
# [('api-key', 'regular'), ('token', 'regular')]
# api-key regular False
# ['api-key']
