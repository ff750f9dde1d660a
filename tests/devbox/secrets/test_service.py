"""SecretService of the devbox: scopes, codes and listings."""

from __future__ import annotations

import pytest

from devbox.calls import DOMAIN, Calls
from flyte.devbox.secrets.vault import SecretName
from flyte.errors import AlreadyExistsError, NotFoundError
from flyte.remote import Secret
from flyte_api.messages.flyteidl2.secret.definition import (
    OverallStatus,
    SecretIdentifier,
    SecretPresenceStatus,
    SecretSpec,
)
from flyte_api.messages.flyteidl2.secret.payload import (
    CreateSecretRequest,
    DeleteSecretRequest,
    GetSecretRequest,
    ListSecretsRequest,
    UpdateSecretRequest,
)
from flyte_api.services.flyteidl2.secret.secret_service import SecretService
from flyte_rpc.status import Status

VALUE = "s3cr3t-value"


def identifier(calls: Calls, name: str = "key", **fields: str) -> SecretIdentifier:
    return SecretIdentifier(**{"name": name, "project": calls.project, "domain": DOMAIN, **fields})


async def create(calls: Calls, name: str, **fields: str) -> None:
    request = CreateSecretRequest(id=identifier(calls, name, **fields), secret_spec=SecretSpec(string_value=VALUE))
    await calls.unary(SecretService.CREATE_SECRET, request)


async def listed(calls: Calls, **fields: str) -> set[tuple[str, str, str]]:
    reply = await calls.unary(SecretService.LIST_SECRETS, ListSecretsRequest(**fields))
    assert reply.token == ""
    ids = [secret.id for secret in reply.secrets if secret.id is not None]
    assert all(not found.organization for found in ids)
    return {(found.project, found.domain, found.name) for found in ids}


async def test_the_public_class_works(calls: Calls) -> None:
    client = calls.client.with_options(project=calls.project, domain=DOMAIN)
    await Secret.create.aio("key", VALUE, client=client)
    secret = await Secret.get.aio("key", client=client)
    assert (secret.name, secret.type, secret.presence) == ("key", "regular", "fully_present")
    assert VALUE not in f"{secret} {secret.pb2}"
    await Secret.update.aio("key", b"\x00\xff", client=client)
    assert (await Secret.get.aio("key", client=client)).created_at == secret.created_at
    with pytest.raises(AlreadyExistsError) as caught:
        await Secret.create.aio("key", VALUE, client=client)
    assert VALUE not in str(caught.value)
    assert [found.name async for found in Secret.listall(client=client)] == ["key"]
    assert await Secret.delete.aio("key", client=client)
    assert not await Secret.delete.aio("key", client=client)
    with pytest.raises(NotFoundError):
        await Secret.get.aio("key", client=client)


async def test_a_secret_comes_back_under_the_id_of_the_request(calls: Calls) -> None:
    await create(calls, "key", organization="acme")
    wanted = identifier(calls, organization="other")
    reply = await calls.unary(SecretService.GET_SECRET, GetSecretRequest(id=wanted))
    assert reply.secret is not None and reply.secret.id == wanted
    metadata = reply.secret.secret_metadata
    assert metadata is not None and metadata.secret_status is not None and metadata.created_time is not None
    assert metadata.secret_status.overall_status == OverallStatus.FULLY_PRESENT
    [there] = metadata.secret_status.cluster_status
    assert there.presence_status == SecretPresenceStatus.PRESENT
    assert there.cluster is not None and there.cluster.name == "flyte-devbox"


async def test_codes(calls: Calls) -> None:
    spec = SecretSpec(string_value=VALUE)
    id = identifier(calls)
    await calls.refused(Status.INVALID_ARGUMENT, SecretService.CREATE_SECRET, CreateSecretRequest(id=id))
    await calls.refused(Status.INVALID_ARGUMENT, SecretService.CREATE_SECRET, CreateSecretRequest(secret_spec=spec))
    await calls.refused(Status.NOT_FOUND, SecretService.UPDATE_SECRET, UpdateSecretRequest(id=id))
    await calls.refused(Status.NOT_FOUND, SecretService.GET_SECRET, GetSecretRequest(id=id))
    await calls.refused(Status.NOT_FOUND, SecretService.DELETE_SECRET, DeleteSecretRequest(id=id))
    await create(calls, "key")
    await calls.refused(Status.INVALID_ARGUMENT, SecretService.UPDATE_SECRET, UpdateSecretRequest(id=id))
    for wrong in (identifier(calls, "a/b"), identifier(calls, domain="a b"), identifier(calls, project="x" * 64)):
        message = await calls.refused(
            Status.INTERNAL, SecretService.CREATE_SECRET, CreateSecretRequest(id=wrong, secret_spec=spec)
        )
        assert VALUE not in message


async def test_a_project_needs_a_domain_in_every_call(calls: Calls) -> None:
    id = identifier(calls, domain="")
    refused = Status.INVALID_ARGUMENT
    spec = SecretSpec(string_value=VALUE)
    await calls.refused(refused, SecretService.CREATE_SECRET, CreateSecretRequest(id=id, secret_spec=spec))
    await calls.refused(refused, SecretService.UPDATE_SECRET, UpdateSecretRequest(id=id, secret_spec=spec))
    await calls.refused(refused, SecretService.GET_SECRET, GetSecretRequest(id=id))
    await calls.refused(refused, SecretService.DELETE_SECRET, DeleteSecretRequest(id=id))
    await calls.refused(refused, SecretService.LIST_SECRETS, ListSecretsRequest(project=calls.project))


async def test_a_domain_lists_its_projects_secrets_and_no_scope_lists_all(calls: Calls) -> None:
    domain = f"d-{calls.project}"
    await create(calls, "narrow", domain=domain)
    await create(calls, "wide", domain=domain, project="")
    await create(calls, f"everywhere-{calls.project}", domain="", project="")
    narrow, wide = (calls.project, domain, "narrow"), ("", domain, "wide")
    assert await listed(calls, project=calls.project, domain=domain) == {narrow}
    assert await listed(calls, domain=domain) == {narrow, wide}
    assert {narrow, wide, ("", "", f"everywhere-{calls.project}")} <= await listed(calls)


async def test_pages(calls: Calls) -> None:
    names = {f"key-{number}" for number in range(5)}
    for name in names:
        await create(calls, name)
    request = ListSecretsRequest(project=calls.project, domain=DOMAIN, limit=2)
    pages = []
    while True:
        reply = await calls.unary(SecretService.LIST_SECRETS, request)
        pages.append([secret.id.name for secret in reply.secrets if secret.id is not None])
        if not reply.token:
            break
        request.token = reply.token
    assert [len(page) for page in pages] == [2, 2, 1]
    assert {name for page in pages for name in page} == names
    request.token = "7"
    await calls.refused(Status.INTERNAL, SecretService.LIST_SECRETS, request)


def test_object_names_are_those_of_the_cluster() -> None:
    name = SecretName(project="flytesnacks", domain="development", name="API_KEY")
    assert name.object_name == "3dbd7dd8df3127f7f97f7d6920d4ee27"
