"""Looking up a task: which version is asked for, and the error for a task that does not exist."""

from __future__ import annotations

from contextlib import suppress
from difflib import get_close_matches
from typing import Literal, get_args

from flyte._client import resolve_client
from flyte.errors import RemoteTaskNotFoundError, RpcError
from flyte_api.entities.task import TaskBase
from flyte_rpc.arguments import text
from flyte_rpc.calls.client import Client

AutoVersion = Literal["latest", "current"]

_SEARCHED = 500
"""Maximum number of tasks to search."""


def check_version(name: str, version: str | None, auto_version: str | None) -> None:
    """Check the arguments of `Task.get`.

    Raises:
        ValueError: The name is empty, or neither or both of `version` and `auto_version` are given.
    """
    text("name", name, 1, 255)
    if auto_version is not None and auto_version not in get_args(AutoVersion):
        raise ValueError(f"auto_version must be 'latest' or 'current', not {auto_version!r}")
    if (version is None) == (auto_version is None):
        given = "both were" if version is not None else "neither was"
        raise ValueError(
            f"Task.get takes either version= or auto_version=, and {given} given; "
            f"for the newest version, write Task.get({name!r}, auto_version='latest')"
        )
    if version is not None:
        text("version", version, 1, 63)


async def task_not_found(
    name: str,
    version: str | None,
    *,
    project: str | None,
    domain: str | None,
    client: Client | None,
    cause: RpcError | None = None,
) -> RemoteTaskNotFoundError:
    """Return the error for a task or version that the server does not know. Lists tasks once.

    Args:
        name: The requested name.
        version: The requested version; None for any.
        project: Project id. Default: the client's.
        domain: Domain id. Default: the client's.
        client: The client for the call. Default: the current one.
        cause: The error of the call that did not find it.
    """
    client = resolve_client(client)
    scope = client.scope(project, domain)
    newest: dict[str, str] = {}
    with suppress(RpcError):  # the suggestion is optional, so its errors are ignored
        tasks = TaskBase._list(  # pyright: ignore[reportPrivateUsage]  # `Task.listall` would import this module
            limit=_SEARCHED, project=scope.project, domain=scope.domain, client=client
        )
        newest = {task.name: task.version async for task in tasks}
    where = f"{scope.project}/{scope.domain}"
    if name in newest and version is not None:
        message = (
            f"Task {name!r} has no version {version!r} in {where}; its newest version is {newest[name]!r}. "
            "Pass auto_version='latest' for the newest."
        )
    else:
        wanted = "" if version is None else f" with version {version!r}"
        message = f"No task named {name!r}{wanted} in {where}."
        if near := get_close_matches(name, newest, n=1):
            message += f" Did you mean {near[0]!r}?"
    error = RemoteTaskNotFoundError(message)
    error.endpoint = client.endpoint
    if cause is not None:
        error.method, error.request_id, error.attempts = cause.method, cause.request_id, cause.attempts
    return error
