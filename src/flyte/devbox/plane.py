"""What all parts of a devbox share."""

from __future__ import annotations

from pathlib import Path

from attrs import frozen

from flyte.devbox.blobs import Blobs
from flyte.devbox.bus import Bus
from flyte.devbox.logs import LogBook
from flyte.devbox.store import Store


@frozen
class Plane:
    """The state of a control plane: database, files, logs, and the news about them."""

    store: Store
    news: Bus
    blobs: Blobs
    logs: LogBook
    scratch: Path
    """Directory for the working directories of running attempts."""
