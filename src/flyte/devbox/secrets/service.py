"""SecretService."""

from __future__ import annotations

import re
from typing import NoReturn

from flyte.devbox import clock
from flyte_api.messages.flyteidl2.common.identifier import ClusterIdentifier
from flyte_api.messages.flyteidl2.secret.definition import (
    ClusterSecretStatus,
    OverallStatus,
    Secret,
    SecretIdentifier,
    SecretMetadata,
    SecretPresenceStatus,
    SecretSpec,
    SecretStatus,
)
from flyte_api.messages.flyteidl2.secret.payload import (
    CreateSecretRequest,
    CreateSecretResponse,
    DeleteSecretRequest,
    DeleteSecretResponse,
    GetSecretRequest,
    GetSecretResponse,
    ListSecretsRequest,
    ListSecretsResponse,
    UpdateSecretRequest,
    UpdateSecretResponse,
)
from flyte_api.services.flyteidl2.secret.secret_service import SecretServiceBase
from flyte_rpc.serving.server import ServerCall, Status, abort

from .cipher import CipherError
from .table import SecretRow
from .vault import SecretName, Vault

_CLUSTER = "flyte-devbox"
_NAME = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_LABEL = re.compile(r"([a-zA-Z0-9]([-._a-zA-Z0-9]{0,61}[a-zA-Z0-9])?)?")
_TOKEN = re.compile(r"[0-9a-f]{32}")


class SecretService(SecretServiceBase):
    """Secrets, whose values no call returns."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    async def create_secret(self, request: CreateSecretRequest, call: ServerCall) -> CreateSecretResponse:
        """Store a new secret."""
        name = _name(request.id)
        value = _value(request.secret_spec)
        _check(name)
        try:
            created = self._vault.create(name, value)
        except CipherError as error:
            abort(Status.INTERNAL, f"failed to create secret: {error}")
        if not created:
            abort(Status.ALREADY_EXISTS, f"secret already exists: {_shown(name)}")
        return CreateSecretResponse()

    async def update_secret(self, request: UpdateSecretRequest, call: ServerCall) -> UpdateSecretResponse:
        """Replace the value of a secret."""
        name = _name(request.id)
        if self._vault.get(name) is None:
            _not_found(name)
        value = _value(request.secret_spec)
        try:
            self._vault.update(name, value)
        except CipherError as error:
            abort(Status.INTERNAL, f"failed to update secret: {error}")
        return UpdateSecretResponse()

    async def get_secret(self, request: GetSecretRequest, call: ServerCall) -> GetSecretResponse:
        """Return a secret without its value, under the id of the request."""
        name = _name(request.id)
        row = self._vault.get(name)
        if row is None:
            _not_found(name)
        return GetSecretResponse(secret=Secret(id=request.id, secret_metadata=_metadata(row)))

    async def delete_secret(self, request: DeleteSecretRequest, call: ServerCall) -> DeleteSecretResponse:
        """Delete a secret."""
        name = _name(request.id)
        if not self._vault.delete(name):
            _not_found(name)
        return DeleteSecretResponse()

    async def list_secrets(self, request: ListSecretsRequest, call: ServerCall) -> ListSecretsResponse:
        """Return a page of secrets, in the order of their object names."""
        _check_scope(request.project, request.domain)
        if request.token and not _TOKEN.fullmatch(request.token):
            abort(Status.INTERNAL, "failed to list secrets: the page token does not come from an earlier page")
        limit = max(0, request.limit)
        # One more than the page, to find out whether another page follows.
        rows = self._vault.select(request.project, request.domain, request.token, limit + 1 if limit else -1)
        more = bool(limit) and len(rows) > limit
        page = rows[:limit] if limit else rows
        return ListSecretsResponse(
            secrets=[Secret(id=_identifier(row), secret_metadata=_metadata(row)) for row in page],
            token=page[-1].object_name if more else "",
        )


def _name(identifier: SecretIdentifier | None) -> SecretName:
    if identifier is None or not identifier.name:
        abort(Status.INVALID_ARGUMENT, "id.name is required")
    _check_scope(identifier.project, identifier.domain)
    return SecretName(project=identifier.project, domain=identifier.domain, name=identifier.name)


def _check_scope(project: str, domain: str) -> None:
    if project and not domain:
        abort(Status.INVALID_ARGUMENT, "domain is required when project is set")


def _check(name: SecretName) -> None:
    """Refuse names that Kubernetes refuses. The real backend does not check them and fails."""
    if not _NAME.fullmatch(name.name):
        problem = f"the name {name.name!r} may only contain letters, digits, '-', '_' and '.'"
        abort(Status.INTERNAL, f"failed to create secret: {problem}")
    for kind, label in (("domain", name.domain), ("project", name.project)):
        if not _LABEL.fullmatch(label):
            abort(Status.INTERNAL, f"failed to create secret: the {kind} {label!r} is not a valid label value")


def _value(spec: SecretSpec | None) -> bytes:
    """Return the value of a request. It must not get into any message."""
    spec = spec or SecretSpec()
    if spec.binary_value is not None:
        return spec.binary_value
    if spec.string_value is None:
        abort(Status.INVALID_ARGUMENT, "secret_spec needs a value")
    return spec.string_value.encode()


def _not_found(name: SecretName) -> NoReturn:
    abort(Status.NOT_FOUND, f"secret not found: {_shown(name)}")


def _shown(name: SecretName) -> str:
    return "/".join(part for part in (name.project, name.domain, name.name) if part)


def _identifier(row: SecretRow) -> SecretIdentifier:
    return SecretIdentifier(name=row.name, domain=row.domain, project=row.project)


def _metadata(row: SecretRow) -> SecretMetadata:
    there = ClusterSecretStatus(cluster=ClusterIdentifier(name=_CLUSTER), presence_status=SecretPresenceStatus.PRESENT)
    return SecretMetadata(
        created_time=clock.to_timestamp(row.created_at),
        secret_status=SecretStatus(overall_status=OverallStatus.FULLY_PRESENT, cluster_status=[there]),
    )
