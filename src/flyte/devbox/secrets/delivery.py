"""Delivers secrets to a task: as environment variables, or as files in a directory of the attempt."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from flyte_api.messages.flyteidl2.core.security import Secret, SecretMountType

from .cipher import CipherError
from .vault import SecretName, Vault

_PART = re.compile(r"[-._a-zA-Z0-9]+")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PREFIX = "_FSEC_"


class DeliveryError(Exception):
    """A task cannot have a secret. The message contains no value."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def deliver(declared: Iterable[Secret], vault: Vault, project: str, domain: str, directory: Path) -> dict[str, str]:
    """Write the files of secrets, and return the environment variables.

    Args:
        declared: The secrets that the task declares.
        vault: The secrets that exist.
        project: The project of the action.
        domain: The domain of the action.
        directory: The directory for files. It is created if a secret is a file; the caller removes it.

    Raises:
        DeliveryError: A secret does not exist, or cannot be delivered in the declared form.
        OSError: A file cannot be written.
    """
    variables: dict[str, str] = {}
    for secret in declared:
        value = _value(secret, vault, project, domain)
        if secret.mount_requirement == SecretMountType.ENV_VAR:
            variables[_variable(secret)] = _text(secret, value)
            variables["FLYTE_SECRETS_ENV_PREFIX"] = _PREFIX
        else:
            path = _write(directory, secret, value)
            variables["FLYTE_SECRETS_DEFAULT_DIR"] = str(directory)
            variables["FLYTE_SECRETS_FILE_PREFIX"] = ""
            if secret.env_var:
                variables[_variable(secret)] = str(path)
    return variables


def _value(secret: Secret, vault: Vault, project: str, domain: str) -> bytes:
    try:
        value = vault.reveal(SecretName(project=project, domain=domain, name=secret.key))
    except CipherError as error:
        raise DeliveryError("SecretNotReadable", f"the secret {secret.key!r} is not readable: {error}") from error
    if value is None:
        message = (
            f"the task needs the secret {secret.key!r}, which does not exist in {project}/{domain} or a wider scope; create "
            f"it with flyte.remote.Secret.create({secret.key!r}, ...)"
        )
        raise DeliveryError("SecretNotFound", message)
    return value


def _variable(secret: Secret) -> str:
    parts = [secret.group, secret.key] if secret.group else [secret.key]
    name = secret.env_var or _PREFIX + re.sub(r"[^A-Z0-9_]", "_", "_".join(parts).upper())
    if not _VARIABLE.fullmatch(name):
        message = (
            f"the secret {secret.key!r} cannot be in the environment variable {name!r}; use letters, digits and '_'"
        )
        raise DeliveryError("BadTaskDefinition", message)
    return name


def _text(secret: Secret, value: bytes) -> str:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        message = f"the secret {secret.key!r} is binary, which an environment variable cannot hold; mount it as a file"
        raise DeliveryError("BadTaskDefinition", message)
    return text


def _write(directory: Path, secret: Secret, value: bytes) -> Path:
    """Write a file that only its owner can read."""
    parts = [secret.group, secret.key] if secret.group else [secret.key]
    for part in parts:
        if not _PART.fullmatch(part) or part in (".", ".."):
            message = f"the secret {secret.key!r} cannot be a file: {part!r} is not a file name"
            raise DeliveryError("BadTaskDefinition", message)
    path = directory.joinpath(*parts)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(value)
    return path
