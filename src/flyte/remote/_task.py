"""Deployed tasks by name and version."""

from __future__ import annotations

from datetime import timedelta
from typing import Self, overload

from flyte_api.entities.task import TaskBase
from flyte_api.entities.task_version import TaskVersionBase
from flyte_api.messages.flyteidl2.task.task_service import ListTasksRequestKnownFilter
from flyte_api.sorting import TaskKey
from flyte_rpc.calls.client import Client
from flyte_rpc.entities.filters import SortedBy
from flyte_rpc.entities.listing import listing
from flyte_rpc.entities.pager import Pager

from ._common import console_url
from .tasks.lazy import LazyEntity
from .tasks.lookup import AutoVersion, check_version

__all__ = ["LazyEntity", "Task", "TaskVersion"]


class TaskVersion(TaskVersionBase):
    """One deployed version of a task."""

    _REPR = ("version", "deployed_at")


class Task(TaskBase):
    """The latest version of a deployed task."""

    @property
    def url(self) -> str:
        """The task's page in the web console."""
        return console_url(self.client, self.domain, self.project, "tasks", self.name)

    @property
    def entrypoint(self) -> bool:
        """Whether the task is marked as an entry point. Servers do not return the mark, so it is always False.

        `Task.listall(entrypoint=True)` lists the tasks that have it, on servers that store it.
        """
        return False

    _REPR = ("name", "version", "project", "domain", "deployed_at", "short_description")

    @overload
    @classmethod
    def get(
        cls,
        name: str,
        project: str | None = None,
        domain: str | None = None,
        *,
        version: str,
        client: Client | None = None,
    ) -> LazyEntity: ...
    @overload
    @classmethod
    def get(
        cls,
        name: str,
        project: str | None,
        domain: str | None,
        version: str,
        *,
        client: Client | None = None,
    ) -> LazyEntity: ...
    @overload
    @classmethod
    def get(
        cls,
        name: str,
        project: str | None = None,
        domain: str | None = None,
        version: None = None,
        *,
        auto_version: AutoVersion,
        client: Client | None = None,
    ) -> LazyEntity: ...
    @overload
    @classmethod
    def get(
        cls,
        name: str,
        project: str | None,
        domain: str | None,
        version: None,
        auto_version: AutoVersion,
        *,
        client: Client | None = None,
    ) -> LazyEntity: ...
    @classmethod
    def get(
        cls,
        name: str,
        project: str | None = None,
        domain: str | None = None,
        version: str | None = None,
        auto_version: AutoVersion | None = None,
        *,
        client: Client | None = None,
    ) -> LazyEntity:
        """Return a handle to a task. The definition is fetched when the handle is first called, overridden or run.

        Args:
            name: Full name of the task, at most 255 characters.
            project: Project id. Default: the client's.
            domain: Domain id. Default: the client's.
            version: The version, at most 63 characters.
            auto_version: Instead of `version`: "latest" for the newest version at the time of the fetch, "current" for
                the version of the task that this code runs in.
            client: The client for the calls. Default: the current one at the time of the fetch.

        Raises:
            ValueError: An argument is unusable: neither or both of `version` and `auto_version`, or an empty name.

        Calls nothing.
        """
        check_version(name, version, auto_version)
        return LazyEntity(name, project, domain, version, auto_version, client)

    @listing
    @classmethod
    def listall(
        cls,
        by_task_name: str | None = None,
        by_task_env: str | None = None,
        project: str | None = None,
        domain: str | None = None,
        sort_by: SortedBy[TaskKey] | None = None,
        limit: int | None = None,
        entrypoint: bool | None = None,
        *,
        page_size: int | None = None,
        timeout: float | timedelta | None = None,
        client: Client | None = None,
    ) -> Pager[Self]:
        """List deployed tasks, one entry for each name, with its newest version.

        Args:
            by_task_name: Only the task with this full name.
            by_task_env: Only tasks of this environment, the part of their names before the first dot.
            project: Project id. Default: the client's.
            domain: Domain id. Default: the client's.
            sort_by: Field to sort by, such as "name" or ("created_at", "asc"); `-` in front for descending. Default:
                the newest first.
            limit: Maximum number of items. Default: all.
            entrypoint: True for tasks marked as entry points, False for all others. Default: both. Servers that do
                not store the mark ignore this argument.
            page_size: Items per request. Default: the client's.
            timeout: Maximum seconds for each page, retries included, or a timedelta. Default: the client's.
            client: The client for the calls. Default: the current one.

        Returns:
            A pager for `for` or `async for`. It fetches nothing before the loop starts.

        Raises:
            ValueError: An argument is invalid; nothing was sent.
            RpcError: The call failed; the subclass says how.

        Calls `TaskService.ListTasks`.
        """
        known = [] if entrypoint is None else [ListTasksRequestKnownFilter(is_entrypoint=entrypoint)]
        return cls._list(
            by_task_name=by_task_name,
            by_task_env=by_task_env,
            known_filters=known,
            sort_by=sort_by,
            limit=limit,
            page_size=page_size,
            timeout=timeout,
            project=project,
            domain=domain,
            client=client,
        )
