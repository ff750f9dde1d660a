"""Secrets: created, changed, listed and deleted, of projects, domains, organizations and cluster pools."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from typing import Any, NoReturn

import pytest

from flyte.errors import AlreadyExistsError, InvalidArgumentError, NotFoundError, UnimplementedError
from flyte.remote import Secret
from flyte_api.messages.flyteidl2.secret.definition import Secret as SecretMessage
from flyte_api.messages.flyteidl2.secret.definition import SecretIdentifier, SecretMetadata, SecretSpec
from flyte_api.messages.flyteidl2.secret.definition import SecretType as TypeOfSecret
from flyte_api.messages.flyteidl2.secret.payload import (
    CreateSecretRequest,
    CreateSecretResponse,
    UpdateSecretRequest,
    UpdateSecretResponse,
)
from flyte_api.messages.google.protobuf.timestamp import Timestamp
from flyte_rpc.calls.client import CallRecord, Client
from flyte_rpc.codec.message import which_one_of
from flyte_rpc.serving.server import ServerCall, Status, abort, serve
from remote.planes.cluster import Clusters
from remote.planes.secret import Vault


@pytest.fixture
def vault() -> Vault:
    return Vault()


@pytest.fixture
def clusters() -> Clusters:
    return Clusters()


@pytest.fixture
async def client(vault: Vault, clusters: Clusters) -> AsyncGenerator[Client]:
    async with (
        await serve([vault, clusters]) as server,
        Client(server.endpoint, org="acme", project="p", domain="d", timeout=20) as made,
    ):
        yield made


async def test_a_secret_of_a_project(vault: Vault, client: Client) -> None:
    assert await Secret.create.aio("key", "s3cret", client=client) is None
    await Secret.create.aio("cert", b"\x00\xff", client=client)
    assert vault.organizations == {"acme"}
    assert vault.secrets["p", "d", "key"].string_value == "s3cret"
    assert vault.secrets["p", "d", "cert"].binary_value == b"\x00\xff"
    found = await Secret.get.aio("key", client=client)
    assert (found.name, found.type, found.project, found.domain, found.presence) == (
        "key",
        "regular",
        "p",
        "d",
        "fully_present",
    )
    assert found.created_at is not None and found.created_at.tzinfo is not None
    assert repr(found).startswith("Secret(name='key', type='regular', project='p', domain='d', created_at=")
    await Secret.update.aio("key", "other", client=client)
    assert vault.secrets["p", "d", "key"].string_value == "other"
    with pytest.raises(AlreadyExistsError, match="there is a secret key") as caught:
        await Secret.create.aio("key", "s3cret", client=client)
    assert "s3cret" not in str(caught.value)
    assert await Secret.delete.aio("key", client=client) is True
    assert await Secret.delete.aio("key", client=client) is False
    with pytest.raises(NotFoundError, match="there is no secret key"):
        await Secret.get.aio("key", client=client)
    with pytest.raises(NotFoundError):
        await Secret.update.aio("key", "x", client=client)


def refuse(spec: SecretSpec | None) -> NoReturn:
    assert spec is not None
    value = spec.string_value or (spec.binary_value or b"").decode()
    abort(Status.INVALID_ARGUMENT, f"{value!r} is too simple a value")


class Talkative(Vault):
    """Repeats what it refuses."""

    async def create_secret(self, request: CreateSecretRequest, call: ServerCall) -> CreateSecretResponse:
        refuse(request.secret_spec)

    async def update_secret(self, request: UpdateSecretRequest, call: ServerCall) -> UpdateSecretResponse:
        refuse(request.secret_spec)


@pytest.mark.parametrize("value", ["password", b"password"])
async def test_a_value_that_the_server_repeats_is_taken_out(
    value: str | bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    records: list[CallRecord] = []
    async with (
        await serve([Talkative()]) as server,
        Client(server.endpoint, project="p", domain="d", on_call=records.append) as client,
    ):
        for call in (Secret.create.aio, Secret.update.aio):
            with pytest.raises(InvalidArgumentError, match=r"'\*\*\*' is too simple a value") as caught:
                await call("key", value, client=client)
            assert "password" not in repr(caught.value)
    assert "'***' is too simple a value" in caplog.text
    assert "password" not in caplog.text + str([record.error for record in records])


@pytest.mark.parametrize(
    ("scope", "belongs", "resource"),
    [
        ({}, ("p", "d"), "project_id"),
        ({"project": "q"}, ("q", "d"), "project_id"),
        ({"project": ""}, ("", "d"), "domain_id"),
        ({"project": "", "domain": ""}, ("", ""), "org_id"),
        ({"type": "image_pull"}, ("", ""), "org_id"),
        ({"cluster_pool": "gpus"}, ("", ""), "cluster_pool_id"),
    ],
)
async def test_where_a_secret_belongs(
    vault: Vault, clusters: Clusters, client: Client, scope: dict[str, Any], belongs: tuple[str, str], resource: str
) -> None:
    await Secret.create.aio("key", "x", **scope, client=client)
    assert list(vault.secrets) == [(*belongs, "key")]
    (asked,) = clusters.asked
    assert asked.operation.name == "USE_SECRETS"
    assert which_one_of(asked, "resource")[0] == resource


async def test_a_client_without_a_project_keeps_secrets_of_the_organization(vault: Vault) -> None:
    async with await serve([vault]) as server, Client(server.endpoint, org="acme", timeout=20) as client:
        await Secret.create.aio("key", "x", client=client)
        assert [s.name async for s in Secret.listall(client=client)] == ["key"]
    assert list(vault.secrets) == [("", "", "key")]


async def test_pages_bring_back_the_tokens_of_clusters(vault: Vault, client: Client) -> None:
    for number in range(7):
        vault.secrets["p", "d", f"s{number}"] = SecretSpec(string_value="x")
    every = Secret.listall(page_size=3, client=client)
    for _ in range(2):
        assert [secret.name async for secret in every] == [f"s{n}" for n in range(7)]
    assert [page.token for page in vault.pages] == ["", "3", "6", "", "3", "6"]
    some = await Secret.listall(limit=4, include_system_secrets=True, client=client).collect.aio()
    assert len(some) == 4 and some[0].client is client
    assert vault.pages[-1].include_system_secrets


async def test_secrets_are_where_the_control_plane_says(vault: Vault, clusters: Clusters, client: Client) -> None:
    far = Vault()
    async with await serve([far]) as elsewhere:
        clusters.name(elsewhere.endpoint, "east")
        await Secret.create.aio("key", "x", client=client)
        found = await Secret.listall(client=client).collect.aio()
        assert [secret.name for secret in found] == ["key"]
        assert found[0].client is client, "what is done with it next is asked of the control plane again"
    assert (list(vault.secrets), list(far.secrets)) == ([], [("p", "d", "key")])


@pytest.mark.parametrize(
    ("arguments", "error", "complaint"),
    [
        (("", "x"), ValueError, "name must not be empty"),
        (("key", ""), ValueError, "value must not be empty"),
        (("key", 12345678), TypeError, "value takes text or bytes, not int"),
        ((5, "12345678"), TypeError, "name takes text, not int"),
        (("key", "x", ["regular"]), ValueError, "type must be 'regular' or 'image_pull', not"),
        (("key", "x", "password"), ValueError, "type must be 'regular' or 'image_pull', not 'password'"),
    ],
)
async def test_bad_arguments(
    vault: Vault,
    clusters: Clusters,
    client: Client,
    arguments: tuple[Any, ...],
    error: type[Exception],
    complaint: str,
) -> None:
    with pytest.raises(error, match=complaint) as caught:
        await Secret.create.aio(*arguments, client=client)
    assert "12345678" not in str(caught.value), "a value is never shown"
    assert (vault.secrets, clusters.asked) == ({}, [])


async def test_names_are_looked_at_before_the_cluster_is_asked_for(clusters: Clusters, client: Client) -> None:
    for call in (Secret.get.aio, Secret.delete.aio):
        with pytest.raises(ValueError, match="name must not be empty"):
            await call("", client=client)
    assert clusters.asked == []


def test_one_with_a_time_that_is_none_can_be_shown() -> None:
    metadata = SecretMetadata(created_time=Timestamp(seconds=2**60))
    shown = repr(Secret(SecretMessage(id=SecretIdentifier(name="key"), secret_metadata=metadata)))
    assert shown.startswith("Secret(name='key', type='regular', malformed='")
    assert "outside the years 1 to 9999" in shown


@pytest.mark.parametrize(
    ("scope", "complaint"),
    [
        (
            {"type": "image_pull", "project": "p"},
            "a secret of type image_pull belongs to the organization; omit project='p'",
        ),
        (
            {"cluster_pool": "gpus", "domain": "d"},
            "a secret of a cluster_pool belongs to the organization; omit domain='d'",
        ),
        ({"project": "p", "domain": ""}, "a secret of project p belongs to one of its domains"),
        ({"cluster_pool": ""}, "cluster_pool must not be empty"),
    ],
)
async def test_scopes_that_do_not_go_together(
    vault: Vault, clusters: Clusters, client: Client, scope: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        await Secret.create.aio("key", "x", **scope, client=client)
    assert (vault.secrets, clusters.asked) == ({}, [])


async def test_a_type_of_a_newer_server(vault: Vault, client: Client) -> None:
    vault.secrets["p", "d", "key"] = SecretSpec(string_value="x", type=TypeOfSecret(42))
    assert (await Secret.get.aio("key", client=client)).type == "unknown(42)"


async def test_a_server_without_secrets() -> None:
    async with await serve([]) as server, Client(server.endpoint, timeout=20) as client:
        with pytest.raises(UnimplementedError, match="GetSecret"):
            await Secret.get.aio("key", client=client)


class MySecret(Secret):
    """Somebody's own."""


async def test_subclasses_get_their_own(vault: Vault, client: Client) -> None:
    await MySecret.create.aio("key", "x", client=client)
    assert type(await MySecret.get.aio("key", client=client)) is MySecret
    assert [type(s) for s in await MySecret.listall(client=client).collect.aio()] == [MySecret]
