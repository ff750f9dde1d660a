from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from devbox.triggers.scheduled import TASK, Scheduled, devbox


@pytest.fixture
async def timed() -> AsyncGenerator[Scheduled, None]:
    """A devbox of the test's own, because its clock is advanced, with a deployed task."""
    async with devbox(memory=True) as made:
        await made.deploy(TASK)
        yield made
