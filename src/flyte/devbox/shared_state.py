"""State shared by all parts of a devbox."""

from __future__ import annotations

from pathlib import Path

from attrs import frozen

from .bus import Bus
from .caching.catalog import Catalog
from .data.blobs import Blobs
from .data.logs import LogBook
from .secrets.vault import Vault
from .store.store import Store


@frozen
class SharedState:
    """The state of a control plane: database, files, logs, and the bus of changes."""

    store: Store
    changes: Bus
    blobs: Blobs
    logs: LogBook
    vault: Vault
    catalog: Catalog
    scratch: Path
    """Directory for the working directories of running attempts."""
