"""State shared by all parts of a devbox."""

from __future__ import annotations

from pathlib import Path

from attrs import frozen

from .bus import Bus
from .caching.catalog import Catalog
from .clock import Clock
from .data.blobs import Blobs
from .data.logs import LogBook
from .secrets.vault import Vault
from .store.store import Store


@frozen
class SharedState:
    """The state of a control plane: database, files, logs, the bus of changes, and the clock of triggers."""

    store: Store
    changes: Bus
    clock: Clock
    blobs: Blobs
    logs: LogBook
    vault: Vault
    catalog: Catalog
    scratch: Path
    """Directory for the working directories of running attempts."""
