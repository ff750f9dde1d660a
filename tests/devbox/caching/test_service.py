"""CacheService of the devbox."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from devbox.calls import DOMAIN, Calls
from flyte.devbox.caching.reservations import CacheKey, Reservation, Reservations
from flyte_api.messages.flyteidl2.cacheservice import cacheservice as v1
from flyte_api.messages.flyteidl2.cacheservice.v2.cacheservice import (
    DeleteCacheRequest,
    GetCacheRequest,
    GetOrExtendReservationRequest,
    Identifier,
    PutCacheRequest,
    ReleaseReservationRequest,
)
from flyte_api.messages.flyteidl2.core.literals import LiteralMap
from flyte_api.messages.google.protobuf.duration import Duration
from flyte_api.services.flyteidl2.cacheservice.v2.cache_service import CacheService
from flyte_rpc.status import Status


def where(calls: Calls) -> Identifier:
    return Identifier(org="acme", project=calls.project, domain=DOMAIN)


def putting(calls: Calls, uri: str = "file:///one", **overwrite: Any) -> PutCacheRequest:
    output = v1.CachedOutput(output_uri=uri, metadata=v1.Metadata(key_map=v1.KeyMapMetadata(values={"a": "b"})))
    base = v1.PutCacheRequest(key="k", output=output, overwrite=v1.OverwriteOutput(**overwrite) if overwrite else None)
    return PutCacheRequest(base_request=base, identifier=where(calls))


async def get(calls: Calls, key: str = "k") -> v1.CachedOutput:
    request = GetCacheRequest(base_request=v1.GetCacheRequest(key=key), identifier=where(calls))
    reply = await calls.unary(CacheService.GET, request)
    assert reply.output is not None and reply.output.metadata is not None
    return reply.output


async def test_outputs_are_stored_replaced_and_deleted(calls: Calls) -> None:
    await calls.unary(CacheService.PUT, putting(calls))
    first = await get(calls)
    assert first.output_uri == "file:///one" and first.metadata is not None
    assert first.metadata.key_map is not None and first.metadata.key_map.values == {"a": "b"}
    assert first.metadata.created_at is not None and first.metadata.created_at == first.metadata.last_updated_at
    await calls.refused(Status.ALREADY_EXISTS, CacheService.PUT, putting(calls, "file:///two"))
    young = putting(calls, "file:///two", max_age=Duration(seconds=3600))
    await calls.refused(Status.ALREADY_EXISTS, CacheService.PUT, young)
    await calls.unary(CacheService.PUT, putting(calls, "file:///two", max_age=Duration()))
    assert (await get(calls)).output_uri == "file:///two"
    await calls.unary(CacheService.PUT, putting(calls, "file:///three", overwrite=True))
    third = await get(calls)
    assert third.output_uri == "file:///three" and third.metadata is not None
    assert third.metadata.created_at == first.metadata.created_at != third.metadata.last_updated_at
    delete = DeleteCacheRequest(base_request=v1.DeleteCacheRequest(key="k"), identifier=where(calls))
    await calls.unary(CacheService.DELETE, delete)
    await calls.refused(Status.NOT_FOUND, CacheService.DELETE, delete)
    gone = GetCacheRequest(base_request=v1.GetCacheRequest(key="k"), identifier=where(calls))
    await calls.refused(Status.NOT_FOUND, CacheService.GET, gone)


async def test_projects_and_domains_share_nothing(calls: Calls) -> None:
    await calls.unary(CacheService.PUT, putting(calls))
    for scope in (Identifier(project=calls.project, domain="production"), Identifier(project="x", domain=DOMAIN), None):
        request = GetCacheRequest(base_request=v1.GetCacheRequest(key="k"), identifier=scope)
        await calls.refused(Status.NOT_FOUND, CacheService.GET, request)


async def test_requests_that_are_not_complete(calls: Calls) -> None:
    invalid = Status.INVALID_ARGUMENT
    await calls.refused(invalid, CacheService.GET, GetCacheRequest(identifier=where(calls)))
    await calls.refused(invalid, CacheService.DELETE, DeleteCacheRequest(identifier=where(calls)))
    literals = v1.CachedOutput(output_literals=LiteralMap())
    for base in (v1.PutCacheRequest(key="k"), v1.PutCacheRequest(key="k", output=literals)):
        await calls.refused(invalid, CacheService.PUT, PutCacheRequest(base_request=base, identifier=where(calls)))
    nobody = v1.GetOrExtendReservationRequest(key="k")
    for base in (None, nobody):
        request = GetOrExtendReservationRequest(base_request=base, identifier=where(calls))
        await calls.refused(invalid, CacheService.GET_OR_EXTEND_RESERVATION, request)


async def reserve(calls: Calls, owner: str, seconds: float, key: str = "k") -> v1.Reservation:
    heartbeat = Duration(seconds=int(seconds), nanos=round(seconds % 1 * 1e9))
    base = v1.GetOrExtendReservationRequest(key=key, owner_id=owner, heartbeat_interval=heartbeat)
    request = GetOrExtendReservationRequest(base_request=base, identifier=where(calls))
    reply = await calls.unary(CacheService.GET_OR_EXTEND_RESERVATION, request)
    assert reply.reservation is not None
    return reply.reservation


async def release(calls: Calls, owner: str, key: str = "k") -> None:
    base = v1.ReleaseReservationRequest(key=key, owner_id=owner)
    request = ReleaseReservationRequest(base_request=base, identifier=where(calls))
    await calls.unary(CacheService.RELEASE_RESERVATION, request)


async def test_one_owner_has_a_reservation(calls: Calls) -> None:
    mine = await reserve(calls, "me", 2.5)
    assert (mine.key, mine.owner_id, mine.heartbeat_interval) == ("k", "me", Duration(seconds=2, nanos=500_000_000))
    yours = await reserve(calls, "you", 5)
    assert (yours.owner_id, yours.expires_at) == ("me", mine.expires_at)
    await release(calls, "you")
    assert (await reserve(calls, "you", 5)).owner_id == "me"
    await release(calls, "me")
    await release(calls, "me")
    assert (await reserve(calls, "you", 5)).owner_id == "you"


@pytest.mark.parametrize("seconds", [0, 3600])
async def test_heartbeats_have_a_maximum(calls: Calls, seconds: int) -> None:
    found = await reserve(calls, "me", seconds)
    assert found.heartbeat_interval == Duration(seconds=10)


async def test_reservations_expire_without_an_extension() -> None:
    now = 0
    reservations = Reservations(lambda: now)
    key = CacheKey("p", "d", "k")
    assert reservations.acquire(key, "me", 3) == Reservation("me", 3_000_000)
    now = 2_000_000
    assert reservations.acquire(key, "me", 3) == Reservation("me", 5_000_000)
    now = 4_999_999
    assert reservations.acquire(key, "you", 3).owner == "me"
    now = 5_000_000
    assert reservations.acquire(key, "you", None) == Reservation("you", None)
    now = 1 << 60
    assert reservations.acquire(key, "me", 3).owner == "you"


async def test_a_release_wakes_those_who_wait() -> None:
    reservations = Reservations()
    key, other = CacheKey("p", "d", "k"), CacheKey("p", "d", "other")
    reservations.acquire(key, "me", None)
    first, second, elsewhere = reservations.released(key), reservations.released(key), reservations.released(other)
    second.cancel()
    reservations.release(key, "you")
    assert not first.done()
    reservations.release(key, "me")
    assert first.done() and not elsewhere.done()
    reservations.forget(other, elsewhere)
    reservations.acquire(other, "me", None)
    reservations.release(other, "me")
    await asyncio.sleep(0)
    assert not elsewhere.done()
