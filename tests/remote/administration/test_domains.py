"""Domains of an organization."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from flyte.devbox import Devbox
from flyte.errors import AlreadyExistsError, NotFoundError, UnimplementedError
from flyte.remote import Domain
from flyte_rpc.calls.client import Client
from flyte_rpc.serving.server import serve
from remote.planes.org import Domains


@pytest.fixture
async def client() -> AsyncGenerator[Client]:
    async with (
        await serve([Domains("development", "production")]) as server,
        Client(server.endpoint, org="acme", timeout=20) as made,
    ):
        yield made


async def test_domains(client: Client) -> None:
    assert [domain.id async for domain in Domain.listall(client=client)] == ["development", "production"]
    assert len(await Domain.listall(limit=1, client=client).collect.aio()) == 1
    found = await Domain.get.aio("production", client=client)
    assert repr(found) == "Domain(id='production', name='Production')"
    made = await Domain.create.aio("staging", "Staging", client=client)
    assert type(made) is Domain and made.created_at is not None
    with pytest.raises(AlreadyExistsError, match="there is a domain staging"):
        await Domain.create.aio("staging", client=client)
    renamed = await Domain.update.aio("staging", "Rehearsal", client=client)
    assert (renamed.name, renamed == made) == ("Rehearsal", True)
    assert await Domain.delete.aio("staging", client=client) is True
    assert await Domain.delete.aio("staging", client=client) is False
    with pytest.raises(NotFoundError, match="there is no domain staging in acme"):
        await Domain.update.aio("staging", "x", client=client)


async def test_an_empty_id_is_refused(client: Client) -> None:
    for call in (Domain.get, Domain.create, Domain.update, Domain.delete):
        with pytest.raises(ValueError, match="id must not be empty"):
            await call.aio("", client=client)


def test_a_server_without_domains(box: Devbox) -> None:
    with pytest.raises(UnimplementedError, match="ListDomains"):
        Domain.listall().collect()
