"""Registry credentials for secrets of type "image_pull"."""

from __future__ import annotations

import base64
import json

from flyte_rpc.arguments import text
from flyte_rpc.redaction import hiding


def docker_config(registry: str, username: str, password: str) -> str:
    """Return registry credentials in the format of Docker, for a secret that pulls images.

    `Secret.create("ghcr", docker_config("ghcr.io", user, token), type="image_pull")` stores them.

    Args:
        registry: Host of the registry, such as "ghcr.io".
        username: The user.
        password: Password or token.

    Returns:
        JSON with the credentials. Treat it as a secret.

    Raises:
        TypeError: An argument is not text.
        ValueError: An argument is empty, or the user name contains a colon.

    Calls nothing.
    """
    text("registry", registry, 1)
    text("username", username, 1)
    if ":" in username:
        raise ValueError("username must not contain a colon, which separates it from the password")
    if not isinstance(password, str) or not password:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ValueError("password must be text that is not empty")
    with hiding(password):
        encoded = base64.b64encode(f"{username}:{password}".encode()).decode()
        return json.dumps({"auths": {registry: {"auth": encoded}}})
