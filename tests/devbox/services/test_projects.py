from __future__ import annotations

import pytest

from devbox.calls import Calls
from flyte_api.messages.flyteidl2.common.list import Sort, SortDirection
from flyte_api.messages.flyteidl2.project.project_service import (
    CreateProjectRequest,
    GetProjectRequest,
    ListProjectsRequest,
    Project,
    Projects,
    ProjectState,
    UpdateProjectRequest,
)
from flyte_api.messages.flyteidl2.task.run import Labels
from flyte_api.services.flyteidl2.project.project_service import ProjectService
from flyte_rpc.status import Status


class Family:
    """Projects whose ids start alike, to tell them from those of other tests."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls
        self.prefix = calls.project

    async def add(self, suffix: str, **fields: object) -> None:
        project = Project(id=f"{self.prefix}-{suffix}", name=suffix, **fields)  # type: ignore[arg-type]
        await self.calls.unary(ProjectService.CREATE_PROJECT, CreateProjectRequest(project=project))

    async def get(self, suffix: str) -> Project:
        request = GetProjectRequest(id=f"{self.prefix}-{suffix}")
        project = (await self.calls.unary(ProjectService.GET_PROJECT, request)).project
        assert project is not None
        return project

    async def page(self, filters: str = "", **fields: object) -> Projects:
        filters = filters.replace("PREFIX", self.prefix)
        request = ListProjectsRequest(filters=filters, **fields)  # type: ignore[arg-type]
        projects = (await self.calls.unary(ProjectService.LIST_PROJECTS, request)).projects
        assert projects is not None
        return projects

    async def names(self, filters: str, **fields: object) -> list[str]:
        found = (await self.page(f"contains(identifier, PREFIX-) + {filters}", **fields)).projects
        return sorted(project.name for project in found)


@pytest.fixture
async def family(calls: Calls) -> Family:
    return Family(calls)


async def test_every_devbox_has_a_project(calls: Calls) -> None:
    reply = await calls.unary(ProjectService.GET_PROJECT, GetProjectRequest(id="flytesnacks"))
    assert reply.project is not None and reply.project.state == ProjectState.ACTIVE
    assert [(domain.id, domain.name) for domain in reply.project.domains] == [
        ("development", "Development"),
        ("production", "Production"),
        ("staging", "Staging"),
    ]


async def test_create_and_replace(family: Family) -> None:
    await family.add("a", description="first", labels=Labels(values={"team": "x"}), org="ignored")
    created = await family.get("a")
    assert (created.name, created.description, created.org) == ("a", "first", "")
    assert created.labels is not None and created.labels.values == {"team": "x"}
    update = UpdateProjectRequest(project=Project(id=created.id, state=ProjectState.ARCHIVED))
    await family.calls.unary(ProjectService.UPDATE_PROJECT, update)
    replaced = await family.get("a")
    assert (replaced.name, replaced.description, replaced.labels) == ("", "", None)
    assert replaced.state == ProjectState.ARCHIVED


async def test_refusals(family: Family) -> None:
    calls = family.calls
    await family.add("a")
    project = Project(id=f"{family.prefix}-a")
    create, update, get = ProjectService.CREATE_PROJECT, ProjectService.UPDATE_PROJECT, ProjectService.GET_PROJECT
    assert project.id in await calls.refused(Status.ALREADY_EXISTS, create, CreateProjectRequest(project=project))
    await calls.refused(Status.INVALID_ARGUMENT, create, CreateProjectRequest())
    await calls.refused(Status.INVALID_ARGUMENT, update, UpdateProjectRequest(project=Project(name="x")))
    await calls.refused(Status.NOT_FOUND, update, UpdateProjectRequest(project=Project(id="none")))
    await calls.refused(Status.NOT_FOUND, get, GetProjectRequest(id="none"))
    await calls.refused(Status.INVALID_ARGUMENT, get, GetProjectRequest())
    long = Project(id=f"{family.prefix}-b", description="x" * 301)
    await calls.refused(Status.INTERNAL, create, CreateProjectRequest(project=long))


async def test_archived_projects_are_hidden_unless_filtered(family: Family) -> None:
    await family.add("live")
    await family.add("old", state=ProjectState.ARCHIVED)
    shown = {project.id for project in (await family.page()).projects}
    assert f"{family.prefix}-live" in shown and f"{family.prefix}-old" not in shown
    everything = {project.id for project in (await family.page(" ")).projects}
    assert f"{family.prefix}-old" in everything
    assert await family.names("eq(state, 1)") == ["old"]


async def test_filters(family: Family) -> None:
    await family.add("one", description="a_b")
    await family.add("two", description="axb")
    await family.add("Three", description="100%")
    assert await family.names("eq(name, one)") == ["one"]
    assert await family.names("NE( name , one )") == ["Three", "two"]
    assert await family.names("value_in(name, one; two)") == ["one", "two"]
    assert await family.names("value_in(name, one)") == ["one"]
    # LIKE: case counts, % and _ are wildcards.
    assert await family.names("contains(name, t)") == ["two"]
    assert await family.names("contains(description, a_b)") == ["one", "two"]
    assert await family.names("contains(description, a%b)") == ["one", "two"]
    assert await family.names("contains(description, a\\_b)") == ["one"]
    assert await family.names("contains(name, [ot]wo)") == []
    assert await family.names("eq(name, one) + eq(state, 0)") == ["one"]


@pytest.mark.parametrize(
    ("filters", "status"),
    [
        ("name", Status.INVALID_ARGUMENT),
        ("eq(name, x) trailing", Status.INVALID_ARGUMENT),
        ("eq(name)", Status.INVALID_ARGUMENT),
        ("eq(color, red)", Status.INVALID_ARGUMENT),
        ("gt(state, 0)", Status.INVALID_ARGUMENT),
        ("eq(state, ACTIVE)", Status.INTERNAL),
        ("contains(state, 0)", Status.INTERNAL),
    ],
)
async def test_filters_outside_the_grammar(calls: Calls, filters: str, status: Status) -> None:
    await calls.refused(status, ProjectService.LIST_PROJECTS, ListProjectsRequest(filters=filters))


async def test_pages(family: Family) -> None:
    for name in "dacb":
        await family.add(name)
    by_name = Sort(key="name", direction=SortDirection.ASCENDING)
    own = "contains(identifier, PREFIX-)"
    first = await family.page(own, limit=2, sort_by=by_name)
    assert ([project.name for project in first.projects], first.token) == (["a", "b"], "2")
    second = await family.page(own, limit=2, sort_by=by_name, token=first.token)
    # A full page has a token, even if it is the last one.
    assert ([project.name for project in second.projects], second.token) == (["c", "d"], "4")
    third = await family.page(own, limit=2, sort_by=by_name, token=second.token)
    assert (third.projects, third.token) == ([], "")
    everything = await family.page(own, sort_by=Sort(key="name"))
    assert ([project.name for project in everything.projects], everything.token) == (["d", "c", "b", "a"], "")
    assert [project.name for project in (await family.page(own, sort_by=by_name, token="3x")).projects] == ["d"]


@pytest.mark.parametrize("fields", [{"token": "x"}, {"token": "-1"}, {"sort_by": Sort(key="color")}])
async def test_pages_that_cannot_be(calls: Calls, fields: dict[str, object]) -> None:
    request = ListProjectsRequest(**fields)  # type: ignore[arg-type]
    await calls.refused(Status.INVALID_ARGUMENT, ProjectService.LIST_PROJECTS, request)
