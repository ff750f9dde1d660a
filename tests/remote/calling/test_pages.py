"""Single pages of a listing, for web pages with a link to the next one."""

from __future__ import annotations

import pytest

import flyte
from flyte.errors import InvalidArgumentError
from flyte.remote import Run
from remote import tasks


async def names(token: str) -> tuple[list[str], str]:
    """Answer one web request: nothing but the token comes from the one before."""
    page = await Run.listall().page(token, 2)
    return [run.name for run in page.items], page.token


async def test_pages_over_several_requests(project: str) -> None:
    task = await flyte.devbox.deploy.aio(tasks.multiply)
    started = [(await flyte.run.aio(task, x=number)).name for number in range(3)]
    first, token = await names("")
    second, end = await names(token)
    assert first + second == started[::-1] and len(first) == 2 and token
    assert end == ""


async def test_a_token_that_the_server_does_not_know(project: str) -> None:
    with pytest.raises(InvalidArgumentError):
        await names("no token")
