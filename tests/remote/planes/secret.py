"""SecretService: secrets of the place they belong to, and the pages of several clusters."""

from __future__ import annotations

from flyte_api.messages.flyteidl2.secret.definition import (
    OverallStatus,
    Secret,
    SecretIdentifier,
    SecretMetadata,
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
from flyte_api.messages.google.protobuf.timestamp import Timestamp
from flyte_api.services.flyteidl2.secret.secret_service import SecretServiceBase
from flyte_rpc.serving.server import ServerCall, Status, abort

Key = tuple[str, str, str]


def _key(id: SecretIdentifier | None) -> Key:
    assert id is not None
    return id.project, id.domain, id.name


class Vault(SecretServiceBase):
    """Keeps secrets. It refuses the token of a page that comes without the tokens of the clusters."""

    def __init__(self) -> None:
        self.secrets: dict[Key, SecretSpec] = {}
        self.organizations: set[str] = set()
        self.pages: list[ListSecretsRequest] = []

    def _found(self, id: SecretIdentifier | None) -> Key:
        key = _key(id)
        if key not in self.secrets:
            abort(Status.NOT_FOUND, f"there is no secret {key[-1]}")
        return key

    def _shown(self, key: Key) -> Secret:
        project, domain, name = key
        status = SecretStatus(overall_status=OverallStatus.FULLY_PRESENT)
        metadata = SecretMetadata(
            created_time=Timestamp(seconds=1_700_000_000), secret_status=status, type=self.secrets[key].type
        )
        return Secret(
            id=SecretIdentifier(organization="acme", project=project, domain=domain, name=name),
            secret_metadata=metadata,
        )

    async def create_secret(self, request: CreateSecretRequest, call: ServerCall) -> CreateSecretResponse:
        key = _key(request.id)
        assert request.id is not None and request.secret_spec is not None
        if key in self.secrets:
            abort(Status.ALREADY_EXISTS, f"there is a secret {key[-1]}")
        self.organizations.add(request.id.organization)
        self.secrets[key] = request.secret_spec
        return CreateSecretResponse()

    async def update_secret(self, request: UpdateSecretRequest, call: ServerCall) -> UpdateSecretResponse:
        assert request.secret_spec is not None
        self.secrets[self._found(request.id)] = request.secret_spec
        return UpdateSecretResponse()

    async def get_secret(self, request: GetSecretRequest, call: ServerCall) -> GetSecretResponse:
        return GetSecretResponse(secret=self._shown(self._found(request.id)))

    async def delete_secret(self, request: DeleteSecretRequest, call: ServerCall) -> DeleteSecretResponse:
        del self.secrets[self._found(request.id)]
        return DeleteSecretResponse()

    async def list_secrets(self, request: ListSecretsRequest, call: ServerCall) -> ListSecretsResponse:
        self.pages.append(request)
        start = int(request.token or 0)
        if start and request.per_cluster_tokens != {"east": f"e{start}"}:
            abort(Status.INVALID_ARGUMENT, "the tokens of the clusters are missing")
        every = [key for key in self.secrets if key[:2] == (request.project, request.domain)]
        stop = start + request.limit
        more = stop < len(every)
        return ListSecretsResponse(
            secrets=[self._shown(key) for key in every[start:stop]],
            token=str(stop) if more else "",
            per_cluster_tokens={"east": f"e{stop}"} if more else {},
        )
