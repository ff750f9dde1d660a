"""pytest fixtures for code that uses the SDK: one devbox per test session, connected per test on request."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from . import Devbox


@pytest.fixture(scope="session")
def flyte_devbox_session() -> Generator[Devbox]:
    """An in-memory devbox that runs until the session ends. It is not connected; use `flyte_devbox` for that."""
    # Imported here, because pytest loads this module for every project with the SDK installed.
    from . import start

    with start(memory=True) as box:
        yield box


@pytest.fixture
def flyte_devbox(flyte_devbox_session: Devbox) -> Generator[Devbox]:
    """The session's devbox, with its client as the default client during the test.

    Tests share its projects, tasks and runs, as on a cluster. A test that counts them should create its own project.
    """
    from flyte_api.registry import registry

    previous = registry.default
    client = flyte_devbox_session.connect()
    try:
        yield flyte_devbox_session
    finally:
        registry.set_default(previous)
        client.close()
