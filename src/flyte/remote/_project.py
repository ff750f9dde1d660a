"""Projects."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Literal, Self

from flyte._client import resolve_client
from flyte_api.entities.project import ProjectBase
from flyte_api.messages.flyteidl2.project.project_service import (
    CreateProjectRequest,
    ProjectState,
    UpdateProjectRequest,
)
from flyte_api.messages.flyteidl2.project.project_service import Project as ProjectMessage
from flyte_api.messages.flyteidl2.task.run import Labels
from flyte_api.services.flyteidl2.project.project_service import ProjectService
from flyte_api.sorting import ProjectKey
from flyte_rpc.arguments import alias, text, texts
from flyte_rpc.calls.call_path import unary
from flyte_rpc.calls.client import Client
from flyte_rpc.calls.options import within_timeout
from flyte_rpc.entities.filters import SortedBy
from flyte_rpc.entities.listing import listing
from flyte_rpc.entities.pager import Pager
from flyte_rpc.sync.decorators import blocking, fetching

_MAX_ID = 63
_ID = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_MAX_DESCRIPTION = 300
_STATES: dict[str, ProjectState] = {"active": ProjectState.ACTIVE, "archived": ProjectState.ARCHIVED}


def _checked_id(id: str) -> str:
    """Check the id of a new project. Clusters name namespaces after it, so they could not run its tasks otherwise."""
    text("id", id, 1, _MAX_ID)
    if not _ID.fullmatch(id):
        near = re.sub(r"[^a-z0-9]+", "-", id.lower()).strip("-")
        hint = f"; {near!r} would be one" if near else ""
        raise ValueError(
            "id must be lower-case letters, digits and dashes, with a letter or digit at both ends, "
            f"and {id!r} is not{hint}. name= takes any text."
        )
    return id


class Project(ProjectBase):
    """A project: a namespace for tasks and runs."""

    @property
    def state(self) -> str:
        """`active`, `archived`, or the name or number of a state of a newer server."""
        state = self.pb2.state
        return state.name.lower() if state.name else f"unknown({int(state)})"

    @property
    def archived(self) -> bool:
        """Whether the project was archived when this was read."""
        return self.pb2.state in (ProjectState.ARCHIVED, ProjectState.SYSTEM_ARCHIVED)

    @property
    def labels(self) -> dict[str, str]:
        """The labels, as a copy."""
        return {} if self.pb2.labels is None else dict(self.pb2.labels.values)

    @property
    def domains(self) -> tuple[str, ...]:
        """Ids of the domains that the project has."""
        return tuple(d.id for d in self.pb2.domains)

    _REPR = ("id", "name", "description", "state", "labels", "domains")

    @fetching
    @classmethod
    async def get(
        cls,
        id: str | None = None,
        *,
        name: str | None = None,
        timeout: float | timedelta | None = None,
        client: Client | None = None,
    ) -> Self:
        """Fetch a project, even if it is archived.

        Args:
            id: Unique and permanent id.
            name: The name that the official SDK has for `id`. It is not the display name.
            timeout: Maximum seconds for the call, retries included, or a timedelta. Default: the client's.
            client: The client for the calls. Default: the current one.

        Raises:
            TypeError: The id is missing, or both names of it are given.
            ValueError: An argument is invalid; nothing was sent.
            NotFoundError: The project does not exist.
            RpcError: The call failed; the subclass says how.

        Calls `ProjectService.GetProject`.
        """
        return await cls._get.aio(alias("id", id, "name", name), timeout=timeout, client=client)

    @fetching
    @classmethod
    @within_timeout
    async def create(
        cls,
        id: str,
        name: str,
        description: str = "",
        labels: Mapping[str, str] | None = None,
        *,
        timeout: float | timedelta | None = None,
        client: Client | None = None,
    ) -> Self:
        """Create a project.

        Args:
            id: Unique id: at most 63 lower-case letters, digits and dashes, with a letter or digit at both ends. It cannot
                be changed later.
            name: Display name.
            description: Description, at most 300 characters. Default: none.
            labels: Labels. Default: none.
            timeout: Maximum seconds for all calls together, retries included, or a timedelta. Default: the client's
                for each.
            client: The client for the calls. Default: the current one.

        Returns:
            The project as stored by the server, with its domains.

        Raises:
            ValueError: An argument is invalid; nothing was sent.
            AlreadyExistsError: The id is taken, perhaps by an archived project.
            RpcError: The call failed; the subclass says how.

        Calls `ProjectService.CreateProject`, then `GetProject`.
        """
        caller = resolve_client(client)
        message = ProjectMessage(
            id=_checked_id(id),
            name=text("name", name, 0, 255),
            description=text("description", description, 0, _MAX_DESCRIPTION),
            labels=Labels(values=texts("labels", labels)) if labels else None,
        )
        await unary(caller, ProjectService.CREATE_PROJECT, CreateProjectRequest(project=message))
        return await cls.get.aio(id, client=caller)

    @fetching
    @classmethod
    @within_timeout
    async def update(
        cls,
        id: str,
        name: str | None = None,
        description: str | None = None,
        labels: Mapping[str, str] | None = None,
        state: Literal["active", "archived"] | None = None,
        *,
        timeout: float | timedelta | None = None,
        client: Client | None = None,
    ) -> Self:
        """Update a project. Omitted arguments stay unchanged.

        The server replaces the whole project, so the client fetches it, changes it and sends it back without its
        domains, which servers refuse in an update. A concurrent change by another user is lost.

        Args:
            id: The project.
            name: New name.
            description: New description; "" for none.
            labels: New labels, which replace all existing ones; {} for none.
            state: "active" or "archived".
            timeout: Maximum seconds for all calls together, retries included, or a timedelta. Default: the client's
                for each.
            client: The client for the calls. Default: the current one.

        Returns:
            The updated project.

        Raises:
            ValueError: An argument is invalid; nothing was sent.
            NotFoundError: The project does not exist.
            RpcError: The call failed; the subclass says how.

        Calls `ProjectService.GetProject`, `UpdateProject`, then `GetProject`.
        """
        caller = resolve_client(client)
        if state is not None and state not in _STATES:
            raise ValueError(f"state must be 'active' or 'archived', not {state!r}")
        changes: dict[str, object] = {}
        if name is not None:
            changes["name"] = text("name", name, 0, 255)
        if description is not None:
            changes["description"] = text("description", description, 0, _MAX_DESCRIPTION)
        if labels is not None:
            changes["labels"] = Labels(values=texts("labels", labels))
        if state is not None:
            changes["state"] = _STATES[state]
        message = (await cls.get.aio(id, client=caller)).pb2
        for field, value in changes.items():
            setattr(message, field, value)
        message.domains = []
        await unary(caller, ProjectService.UPDATE_PROJECT, UpdateProjectRequest(project=message))
        return await cls.get.aio(id, client=caller)

    @blocking
    @within_timeout
    async def archive(self, *, timeout: float | timedelta | None = None) -> Project:
        """Archive the project. Listings omit it by default; its contents are kept.

        Args:
            timeout: Maximum seconds for all calls together, retries included, or a timedelta. Default: the client's
                for each.

        Returns:
            This project, updated.

        Raises:
            ValueError: `timeout` is not positive; nothing was sent.
            NotFoundError: The project no longer exists.
            RpcError: The call failed; the subclass says how.

        Calls what `update` calls.
        """
        return await self._move("archived")

    @blocking
    @within_timeout
    async def unarchive(self, *, timeout: float | timedelta | None = None) -> Project:
        """Make an archived project active again.

        Args:
            timeout: Maximum seconds for all calls together, retries included, or a timedelta. Default: the client's
                for each.

        Returns:
            This project, updated.

        Raises:
            ValueError: `timeout` is not positive; nothing was sent.
            NotFoundError: The project no longer exists.
            RpcError: The call failed; the subclass says how.

        Calls what `update` calls.
        """
        return await self._move("active")

    async def _move(self, state: Literal["active", "archived"]) -> Project:
        self.pb2 = (await Project.update.aio(self.id, state=state, client=self.client)).pb2
        return self

    @listing
    @classmethod
    def listall(
        cls,
        filters: str | None = None,
        sort_by: SortedBy[ProjectKey] | None = None,
        archived: bool = False,
        *,
        limit: int | None = None,
        page_size: int | None = None,
        timeout: float | timedelta | None = None,
        client: Client | None = None,
    ) -> Pager[Self]:
        """List projects: the active ones, or the archived ones.

        Args:
            filters: More conditions in the server's filter language, joined with `+`, for example
                `contains(name, ml)+ne(id, flytesnacks)`.
            sort_by: Field to sort by, such as "id" or ("name", "asc"); `-` in front for descending. Default: the
                newest first.
            archived: List the archived projects instead of the active ones. Default: False.
            limit: Maximum number of items. Default: all.
            page_size: Items per request. Default: the client's.
            timeout: Maximum seconds for each page, retries included, or a timedelta. Default: the client's.
            client: The client for the calls. Default: the current one.

        Returns:
            A pager for `for` or `async for`. It fetches nothing before the loop starts.

        Raises:
            ValueError: An argument is invalid; nothing was sent.
            RpcError: The call failed; the subclass says how.

        Calls `ProjectService.ListProjects`.
        """
        state = f"eq(state, {int(ProjectState.ARCHIVED if archived else ProjectState.ACTIVE)})"
        wanted = text("filters", filters or "").strip().strip("+")
        return cls._list(
            filters=f"{wanted}+{state}" if wanted else state,
            sort_by=sort_by,
            limit=limit,
            page_size=page_size,
            timeout=timeout,
            client=client,
        )
