"""The cache of outputs as one action uses it."""

from __future__ import annotations

import asyncio
import logging

from flyte.devbox import clock
from flyte.devbox.caching.catalog import CachedOutput
from flyte.devbox.caching.reservations import CacheKey, Reservation
from flyte.devbox.data.blobs import BlobError
from flyte.devbox.shared_state import SharedState
from flyte_api.messages.flyteidl2.core.catalog import CatalogCacheStatus
from flyte_rpc.codec.deprecation import quietly

from .plan import Work

_log = logging.getLogger("flyte.devbox")


class ActionCache:
    """Finds, reserves and stores the outputs of an action. Without a cache key it does nothing."""

    def __init__(self, state: SharedState, work: Work, cache_key: str) -> None:
        self._state = state
        self._catalog = state.catalog
        self._key = CacheKey(work.key.project, work.key.domain, cache_key)
        self._owner = str(work.key)
        self._parent = work.parent
        self._metadata = work.template.metadata
        config = work.run_spec.cache_config
        self._overwrites = quietly(work.run_spec, "overwrite_cache") or (config is not None and config.overwrite_cache)
        self.enabled = bool(cache_key)
        self.status = CatalogCacheStatus.CACHE_DISABLED
        """What the cache did for the action."""

    @property
    def serializes(self) -> bool:
        """Whether actions with the same key wait for each other."""
        metadata = self._metadata
        return self.enabled and not self._overwrites and metadata is not None and metadata.cache_serializable

    def fetch(self, target: str) -> bool:
        """Copy cached outputs to a URI. Return False if there are none."""
        if not self.enabled:
            return False
        if self._overwrites:
            self.status = CatalogCacheStatus.CACHE_SKIPPED
            return False
        self.status = CatalogCacheStatus.CACHE_MISS
        age = 0.0 if self._metadata is None else clock.to_seconds(self._metadata.cache_max_age)
        found = self._catalog.get(self._key)
        if found is None or (age and found.stored_at < clock.now() - int(age * 1e6)):
            return False
        try:
            if not self._state.blobs.path(found.uri).exists():
                return False
            self._state.blobs.copy(found.uri, target)
        except (BlobError, OSError) as error:
            _log.warning("the cached outputs for %s are not readable: %s", self._owner, error)
            self.status = CatalogCacheStatus.CACHE_LOOKUP_FAILURE
            return False
        self.status = CatalogCacheStatus.CACHE_HIT
        return True

    def reserve(self) -> Reservation | None:
        """Reserve the key until `release`. Return the reservation of another owner, if the action has to wait for it."""
        held = self._catalog.reservations.acquire(self._key, self._owner, None)
        # A parent waits for this action, which would then wait for the parent's outputs forever.
        return None if held.owner == self._owner or held.owner in self._ancestors() else held

    def _ancestors(self) -> set[str]:
        """Return the owners that stand for the parents of the action."""
        found: set[str] = set()
        key = self._parent
        while key is not None and str(key) not in found:
            found.add(str(key))
            row = self._state.store.actions.get(key)
            key = None if row is None else row.parent_key
        return found

    def released(self) -> asyncio.Future[None]:
        """Return a future that is done when the reservation of the key is released. Cancel it to stop waiting."""
        waiting = self._catalog.reservations.released(self._key)
        waiting.add_done_callback(lambda done: self._catalog.reservations.forget(self._key, done))
        return waiting

    def release(self) -> None:
        """Let other actions with the same key continue."""
        if self.enabled:
            self._catalog.reservations.release(self._key, self._owner)

    def store(self, uri: str) -> None:
        """Store outputs for later actions with the same key."""
        if self.enabled and self._state.blobs.exists(uri):
            self._catalog.put(self._key, CachedOutput(uri, clock.now(), None))
            self.status = CatalogCacheStatus.CACHE_POPULATED
