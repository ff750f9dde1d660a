"""Registry credentials for secrets of type "image_pull"."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flyte_rpc.arguments import several, text
from flyte_rpc.redaction import hiding
from flyte_rpc.typeguards import is_dict

_HUB = "docker.io"
_HELPER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_PATIENCE = 60.0
"""Seconds for a credential helper, which may ask the user to unlock a keychain."""


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


def docker_config_from_file(registries: Sequence[str] | None = None, path: str | os.PathLike[str] | None = None) -> str:
    """Return the credentials of a Docker configuration file, for a secret that pulls images.

    `docker login` writes such a file. Credentials are read from the file, or from the credential helper that it names.
    `Secret.create("registries", docker_config_from_file(["ghcr.io"]), type="image_pull")` stores them.

    Args:
        registries: Hosts of the registries, such as ["ghcr.io"]. Default: all in the file that have credentials.
        path: The file. Default: `config.json` in the directory that DOCKER_CONFIG names, else in `~/.docker`.

    Returns:
        JSON with the credentials. Treat it as a secret.

    Raises:
        TypeError: An argument has the wrong type.
        OSError: The file cannot be read.
        ValueError: The file is not a Docker configuration, or lacks credentials for a registry.

    Calls the credential helpers of the file.
    """
    names = None if registries is None else [text("registries", each, 1) for each in several("registries", registries)]
    if path is None:
        path = Path(os.environ.get("DOCKER_CONFIG") or "~/.docker") / "config.json"
    file = Path(path).expanduser()
    config = _read(file)
    auths = _section(config, "auths", file)
    helpers = _section(config, "credHelpers", file)
    if names is None:
        names = [*dict.fromkeys([*auths, *helpers])]
    found = {name: _auth(name, auths, helpers, config.get("credsStore")) for name in names}
    lacking = [name for name, auth in found.items() if auth is None]
    if lacking and (registries is not None or len(lacking) == len(found)):
        raise ValueError(f"{file} has no credentials for {', '.join(lacking)}; run `docker login {lacking[0]}`")
    if not found:
        raise ValueError(f"{file} has no credentials; run `docker login`")
    return json.dumps({"auths": {name: {"auth": auth} for name, auth in found.items() if auth is not None}})


def _read(file: Path) -> Mapping[str, Any]:
    try:
        config: object = json.loads(file.read_text("utf-8"))
    except FileNotFoundError as error:
        raise FileNotFoundError(
            error.errno, "there is no Docker configuration; run `docker login`", str(file)
        ) from None
    except ValueError:  # the error has the text of the file, and with it the credentials
        config = None
    if not is_dict(config):
        raise ValueError(f"{file} is not a Docker configuration: it must be a JSON object")
    return config


def _section(config: Mapping[str, Any], name: str, file: Path) -> Mapping[str, Any]:
    section: Any = config.get(name) or {}
    if not is_dict(section):
        raise ValueError(f"{file} is not a Docker configuration: {name} must be a JSON object")
    return section


def _host(registry: str) -> str:
    """Return the host of a registry. Docker Hub has several, and files name it by URL."""
    host = registry.partition("://")[2] or registry
    host = host.partition("/")[0].lower()
    return _HUB if host == _HUB or host.endswith(f".{_HUB}") else host


def _auth(registry: str, auths: Mapping[str, Any], helpers: Mapping[str, Any], store: object) -> str | None:
    """Return the encoded credentials of a registry; None if there are none."""
    key = registry if registry in auths else next((each for each in auths if _host(each) == _host(registry)), registry)
    entry = auths.get(key)
    auth = entry.get("auth") if is_dict(entry) else None
    if isinstance(auth, str) and auth:
        return auth
    helper = helpers.get(registry) or helpers.get(key) or store
    return _ask(helper, key) if isinstance(helper, str) and helper else None


def _ask(helper: str, registry: str) -> str | None:
    """Ask a credential helper; return None if it has nothing for the registry.

    Raises:
        ValueError: The helper cannot be run, or its answer has no credentials.
    """
    if not _HELPER.fullmatch(helper):
        raise ValueError(f"{helper!r} is not the name of a Docker credential helper")
    program = f"docker-credential-{helper}"
    try:
        done = subprocess.run(
            [program, "get"], input=registry.encode(), capture_output=True, timeout=_PATIENCE, check=False
        )
    except FileNotFoundError:
        raise ValueError(f"the Docker configuration needs {program} for {registry}, which is not installed") from None
    except subprocess.TimeoutExpired:
        raise ValueError(f"{program} did not answer within {_PATIENCE:g} s for {registry}") from None
    if done.returncode != 0:
        return None
    try:
        answer: object = json.loads(done.stdout)
    except ValueError:  # the error has the answer, and with it the credentials
        answer = None
    user, password = (answer.get(name) if is_dict(answer) else None for name in ("Username", "Secret"))
    if not isinstance(user, str) or not isinstance(password, str):
        raise ValueError(f"{program} returned no credentials for {registry}")
    return base64.b64encode(f"{user}:{password}".encode()).decode()
