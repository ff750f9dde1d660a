"""pytest fixtures for code that uses the SDK: a devbox per test session, connected for each test that asks for it."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from . import Devbox


@pytest.fixture(scope="session")
def flyte_devbox_session() -> Generator[Devbox]:
    """A devbox in memory that runs until the session ends. It is not connected: that is what `flyte_devbox` is for."""
    # Imported here: pytest loads this module for every project that has the SDK installed.
    from . import start

    with start(memory=True) as box:
        yield box


@pytest.fixture
def flyte_devbox(flyte_devbox_session: Devbox) -> Generator[Devbox]:
    """The session's devbox, with its client as the default one during the test.

    Tests share its projects, tasks and runs, as they would on a cluster: a test that counts them makes a project of its own.
    """
    from flyte_api.registry import registry

    previous = registry.default
    client = flyte_devbox_session.connect()
    try:
        yield flyte_devbox_session
    finally:
        registry.set_default(previous)
        client.close()
