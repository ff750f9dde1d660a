"""CacheService, version 2. Tasks of the devbox share its cache with callers of the service."""

from __future__ import annotations

from typing import NoReturn

from flyte.devbox import clock
from flyte_api.messages.flyteidl2.cacheservice import cacheservice as v1
from flyte_api.messages.flyteidl2.cacheservice.v2.cacheservice import (
    DeleteCacheRequest,
    GetCacheRequest,
    GetOrExtendReservationRequest,
    Identifier,
    PutCacheRequest,
    ReleaseReservationRequest,
)
from flyte_api.messages.google.protobuf.duration import Duration
from flyte_api.services.flyteidl2.cacheservice.v2.cache_service import CacheServiceBase
from flyte_rpc.serving.server import ServerCall, Status, abort

from .catalog import CachedOutput, Catalog
from .reservations import CacheKey

_MAX_HEARTBEAT = 10.0
"""Seconds between two extensions of a reservation, at most."""
_HEARTBEATS = 3
"""A reservation expires after this number of missing heartbeats."""


class CacheService(CacheServiceBase):
    """Cached outputs by key, and reservations of keys."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    async def get(self, request: GetCacheRequest, call: ServerCall) -> v1.GetCacheResponse:
        """Return the outputs for a key."""
        key = _key(request.identifier, (request.base_request or v1.GetCacheRequest()).key)
        found = self._catalog.get(key)
        if found is None:
            _not_found(key)
        return v1.GetCacheResponse(output=v1.CachedOutput(output_uri=found.uri, metadata=_metadata(found)))

    async def put(self, request: PutCacheRequest, call: ServerCall) -> v1.PutCacheResponse:
        """Store the location of outputs. Existing ones are replaced on demand, or if they are too old."""
        base = request.base_request or v1.PutCacheRequest()
        key = _key(request.identifier, base.key)
        output = base.output or v1.CachedOutput()
        if not output.output_uri:
            abort(Status.INVALID_ARGUMENT, "output.output_uri is required")
        now = clock.now()
        existing = self._catalog.get(key)
        if existing is not None and not _replaces(base.overwrite, now - existing.stored_at):
            abort(Status.ALREADY_EXISTS, f"the cache has outputs for the key {key.key}")
        metadata = output.metadata or v1.Metadata()
        before = None if existing is None else _metadata(existing).created_at
        metadata.created_at = before or clock.to_timestamp(now)
        metadata.last_updated_at = clock.to_timestamp(now)
        self._catalog.put(key, CachedOutput(output.output_uri, now, bytes(metadata)))
        return v1.PutCacheResponse()

    async def delete(self, request: DeleteCacheRequest, call: ServerCall) -> v1.DeleteCacheResponse:
        """Forget the outputs for a key."""
        key = _key(request.identifier, (request.base_request or v1.DeleteCacheRequest()).key)
        if not self._catalog.delete(key):
            _not_found(key)
        return v1.DeleteCacheResponse()

    async def get_or_extend_reservation(
        self, request: GetOrExtendReservationRequest, call: ServerCall
    ) -> v1.GetOrExtendReservationResponse:
        """Acquire or extend a reservation. Return the current one, which another owner may have."""
        base = request.base_request or v1.GetOrExtendReservationRequest()
        key = _key(request.identifier, base.key)
        if not base.owner_id:
            abort(Status.INVALID_ARGUMENT, "owner_id is required")
        heartbeat = clock.to_seconds(base.heartbeat_interval)
        heartbeat = min(heartbeat, _MAX_HEARTBEAT) if heartbeat > 0 else _MAX_HEARTBEAT
        lifetime = heartbeat * _HEARTBEATS
        held = self._catalog.reservations.acquire(key, base.owner_id, lifetime)
        # A running action extends its reservation all the time.
        expires_at = clock.now() + round(lifetime * 1e6) if held.expires_at is None else held.expires_at
        reservation = v1.Reservation(
            key=base.key,
            owner_id=held.owner,
            heartbeat_interval=Duration(seconds=int(heartbeat), nanos=round(heartbeat % 1 * 1e9)),
            expires_at=clock.to_timestamp(expires_at),
        )
        return v1.GetOrExtendReservationResponse(reservation=reservation)

    async def release_reservation(
        self, request: ReleaseReservationRequest, call: ServerCall
    ) -> v1.ReleaseReservationResponse:
        """End a reservation. Idempotent; reservations of other owners stay."""
        base = request.base_request or v1.ReleaseReservationRequest()
        key = _key(request.identifier, base.key)
        self._catalog.reservations.release(key, base.owner_id)
        return v1.ReleaseReservationResponse()


def _key(identifier: Identifier | None, key: str) -> CacheKey:
    if not key:
        abort(Status.INVALID_ARGUMENT, "base_request.key is required")
    scope = identifier or Identifier()
    return CacheKey(scope.project, scope.domain, key)


def _replaces(overwrite: v1.OverwriteOutput | None, age: int) -> bool:
    """Return whether a request replaces outputs of that age, in microseconds."""
    if overwrite is None:
        return False
    return overwrite.overwrite or (overwrite.max_age is not None and age > clock.to_seconds(overwrite.max_age) * 1e6)


def _metadata(output: CachedOutput) -> v1.Metadata:
    if output.metadata is not None:
        return v1.Metadata.parse(output.metadata)
    stored = clock.to_timestamp(output.stored_at)
    return v1.Metadata(created_at=stored, last_updated_at=stored)


def _not_found(key: CacheKey) -> NoReturn:
    abort(Status.NOT_FOUND, f"the cache has no outputs for the key {key.key}")
