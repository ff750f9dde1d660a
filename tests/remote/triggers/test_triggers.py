"""Triggers: deployed, replaced, listed, moved, deleted, and read in their revisions."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import AsyncIterator, Callable
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest

import flyte
from flyte.errors import (
    FailedPreconditionError,
    InternalError,
    InvalidArgumentError,
    NotFoundError,
    PermissionDeniedError,
    RemoteTaskNotFoundError,
    RemoteTaskUsageError,
    UnimplementedError,
)
from flyte.notify import Email, NamedDelivery
from flyte.remote import Trigger, TriggerDetails, TriggerRevision
from flyte.types import literals_to_python
from flyte_api.messages.flyteidl2.cluster.payload import SelectClusterRequestOperation
from flyte_api.messages.flyteidl2.common.identifier import TriggerIdentifier, TriggerName
from flyte_api.messages.flyteidl2.common.list import Filter, FilterFunction
from flyte_api.messages.flyteidl2.task.common import (
    ArtifactTrigger,
    Cron,
    FixedRate,
    FixedRateUnit,
    Schedule,
    TriggerAutomationSpec,
    TriggerAutomationSpecType,
)
from flyte_api.messages.flyteidl2.task.run import RunSpec
from flyte_api.messages.flyteidl2.trigger.trigger_definition import TriggerDetails as DetailsMessage
from flyte_api.messages.flyteidl2.trigger.trigger_definition import TriggerRevisionAction, TriggerSpec
from flyte_api.messages.flyteidl2.trigger.trigger_service import DeployTriggerRequest
from flyte_rpc.calls.client import CallRecord, Client
from flyte_rpc.serving.server import Status, abort, serve
from remote.planes.cluster import Clusters
from remote.planes.dataproxy import Data
from remote.planes.task import Tasks
from remote.planes.trigger import Triggers, status_of

KEY = ("p", "d", "etl.report", "nightly")
DAY = datetime(2026, 3, 1, 12, tzinfo=UTC)
KINDS = TriggerAutomationSpecType


def report(day: datetime, country: str, limit: int = 10) -> str:
    """A task that a trigger may start."""
    return f"{day} {country} {limit}"


def restock(item: str = "pen", seen: datetime | None = None) -> str:
    """A task that needs no inputs."""
    return f"{item} {seen}"


def nothing() -> None:
    """A task that takes nothing."""


@pytest.fixture
def triggers() -> Triggers:
    return Triggers()


@pytest.fixture
def tasks() -> Tasks:
    made = Tasks()
    made.put(report, "etl.report", "v1", "v2")
    made.put(restock, "etl.restock", "v1")
    return made


@pytest.fixture
def data() -> Data:
    return Data("near")


@pytest.fixture
async def client(triggers: Triggers, tasks: Tasks) -> AsyncIterator[Client]:
    """Of a control plane that stores no inputs."""
    async with await serve([triggers, tasks]) as server, Client(server.endpoint, project="p", domain="d") as made:
        yield made


@pytest.fixture
async def storing(triggers: Triggers, tasks: Tasks, data: Data) -> AsyncIterator[Client]:
    """Of one that does."""
    async with await serve([triggers, tasks, data]) as server, Client(server.endpoint, project="p", domain="d") as made:
        yield made


def nightly(**changes: Any) -> flyte.Trigger:
    usual = flyte.Trigger(
        "nightly",
        flyte.Cron("0 2 * * *", "Europe/Berlin"),
        "Reports of the day before",
        inputs={"day": flyte.TriggerTime, "country": "de"},
    )
    return attrs.evolve(usual, **changes)


def details(name: str = "nightly", *, active: bool = True, version: str = "v1", **fields: Any) -> DetailsMessage:
    """A trigger as a server keeps it."""
    identifier = TriggerIdentifier(name=TriggerName(project="p", domain="d", task_name="etl.report", name=name))
    spec = TriggerSpec(active=active, task_version=version)
    return DetailsMessage(**{"id": identifier, "spec": spec, **fields})


def sent(triggers: Triggers) -> tuple[DeployTriggerRequest, TriggerSpec, TriggerAutomationSpec]:
    """The last deployment that the server has seen."""
    request = triggers.deployed[-1]
    assert request.spec is not None and request.automation_spec is not None
    return request, request.spec, request.automation_spec


def values(spec: TriggerSpec) -> dict[str, Any]:
    assert spec.inputs is not None
    return dict(literals_to_python(spec.inputs.literals).values)


async def test_everything_that_is_written_is_sent(triggers: Triggers, client: Client) -> None:
    written = nightly(
        env_vars={"A": "1"},
        interruptible=False,
        overwrite_cache=True,
        queue="slow",
        max_action_concurrency=4,
        labels={"team": "a"},
        annotations={"note": "b"},
        notifications="on-call",
        custom_context={"trace": "t"},
        auto_activate=False,
    )
    made = await Trigger.create.aio(written, "etl.report", client=client)
    request, spec, automation = sent(triggers)
    assert request.name == TriggerName(project="p", domain="d", task_name="etl.report", name="nightly")
    assert (request.revision, spec.active, spec.task_version) == (0, False, "v2")
    assert spec.description == "Reports of the day before"
    assert values(spec) == {"country": "de", "limit": 10}
    run = spec.run_spec
    assert run is not None and run.envs is not None and run.labels is not None and run.annotations is not None
    assert [(pair.key, pair.value) for pair in run.envs.values] == [("A", "1")]
    assert run.interruptible is not None and run.interruptible.value is False
    assert run.cache_config is not None and run.cache_config.overwrite_cache
    assert (run.queue, run.max_action_concurrency, run.notification_rule_name) == ("slow", 4, "on-call")
    assert (run.labels.values, run.annotations.values) == ({"team": "a"}, {"note": "b"})
    assert spec.inputs is not None
    context = {pair.key: pair.value for pair in spec.inputs.context}
    assert context == {"trace": "t", "_u_kickoff_time_input_arg": "day"}
    assert automation.schedule is not None and automation.schedule.kickoff_time_input_arg == "day"
    assert automation.schedule.cron == Cron(expression="0 2 * * *", timezone="Europe/Berlin")
    assert automation.type == KINDS.TYPE_SCHEDULE
    assert (made.name, made.task_name, made.project, made.domain) == ("nightly", "etl.report", "p", "d")
    assert (made.revision, made.is_active, made.triggered_at) == (1, False, None)
    assert made.url == f"{client.endpoint}/v2/domain/d/project/p/triggers/etl.report/nightly"
    assert repr(made).startswith(
        "Trigger(name='nightly', task_name='etl.report', revision=1, automation='cron: 0 2 * * * (Europe/Berlin)', "
        "is_active=False"
    )
    found = await made.get_details.aio()
    assert (found.task_version, found.description) == ("v2", "Reports of the day before")
    assert "description='Reports of the day before'" in repr(found)
    # The task's own default has become part of it.
    assert found.trigger == attrs.evolve(written, inputs={"country": "de", "limit": 10, "day": flyte.TriggerTime})


@pytest.mark.parametrize(
    "automation, inputs, text",
    [
        (flyte.Cron("@daily"), {"day": DAY, "country": "fr"}, "cron: @daily (UTC)"),
        (flyte.FixedRate(90), {"day": flyte.TriggerTime, "country": "fr"}, "every 90 minutes starting at now"),
        (
            flyte.FixedRate(1, DAY),
            {"day": DAY, "country": "fr"},
            "every 1 minute starting at 2026-03-01 12:00:00+00:00",
        ),
        (
            flyte.OnArtifact("raw", region="eu"),
            {"day": flyte.TriggeredPartition("date"), "country": flyte.TriggeredArtifact},
            "on artifact: raw -> country",
        ),
        (flyte.OnArtifact("raw", "7"), {"day": DAY, "country": "fr"}, "on artifact: raw@7"),
        (None, {"country": "fr"}, "none"),
    ],
)
async def test_what_is_deployed_is_read_back(
    automation: Any, inputs: dict[str, Any], text: str, client: Client
) -> None:
    written = flyte.Trigger("t", automation, inputs={**inputs, "limit": 3}, labels={"a": "b"})
    made = await Trigger.create.aio(written, "etl.report", "v1", client=client)
    assert made.automation == text
    found = await Trigger.get.aio(name="t", task_name="etl.report", client=client)
    assert found.automation == text
    assert found.task_version == "v1"
    again = found.trigger
    assert again == written
    assert pickle.loads(pickle.dumps(again)) == again and hash(again) == hash(written)


async def test_inputs_are_stored_where_the_server_can(triggers: Triggers, data: Data, storing: Client) -> None:
    made = await Trigger.create.aio(nightly(), "etl.report", client=storing)
    request, spec, _ = sent(triggers)
    assert spec.inputs is None and spec.offloaded_input_data is not None
    assert (spec.offloaded_input_data.uri, spec.offloaded_input_data.inputs_hash) == ("s3://near", "h")
    upload = data.uploads[0]
    assert upload.task_id is not None and (upload.task_id.name, upload.task_id.version) == ("etl.report", "v2")
    assert upload.project_id is not None and upload.project_id.name == "p"
    assert upload.inputs is not None and literals_to_python(upload.inputs.literals).values["country"] == "de"
    # The trigger is changed and deployed again, and its inputs stay where they are.
    found = await made.get_details.aio()
    again = await Trigger.create.aio(
        attrs.evolve(found.trigger, automation=flyte.FixedRate(60)), "etl.report", "v1", client=storing
    )
    request, changed, _ = sent(triggers)
    assert (again.revision, request.revision) == (2, 1)
    assert again.automation == "every 60 minutes starting at now"
    assert changed.offloaded_input_data == spec.offloaded_input_data and len(data.uploads) == 1
    with pytest.raises(ValueError, match=r"stored_inputs=None"):
        attrs.evolve(found.trigger, inputs={"country": "fr"})


async def test_a_trigger_without_inputs_stores_none(
    triggers: Triggers, tasks: Tasks, data: Data, storing: Client
) -> None:
    tasks.put(nothing, "etl.plain", "v1")
    await Trigger.create.aio(flyte.Trigger("t"), "etl.plain", client=storing)
    assert data.uploads == []
    assert sent(triggers)[1].inputs is not None


async def test_inputs_go_where_the_control_plane_says(triggers: Triggers, tasks: Tasks, data: Data) -> None:
    clusters = Clusters()
    async with (
        await serve([data]) as far,
        await serve([triggers, tasks, clusters]) as server,
        Client(server.endpoint, project="p", domain="d") as client,
    ):
        clusters.name(far.endpoint, "far")
        await Trigger.create.aio(nightly(), "etl.report", client=client)
    assert [question.operation for question in clusters.asked] == [SelectClusterRequestOperation.UPLOAD_TRIGGER]
    assert len(data.uploads) == 1


async def test_one_of_the_same_name_is_replaced(triggers: Triggers, client: Client) -> None:
    first = await asyncio.to_thread(Trigger.create, nightly(), "etl.report", client=client)
    second = await Trigger.create.aio(
        nightly(description="", automation=None, inputs=None), "etl.report", client=client
    )
    assert [request.revision for request in triggers.deployed] == [0, 1]
    assert (first.revision, second.revision) == (1, 2)
    assert first == second and hash(first) == hash(second)
    found = await second.get_details.aio()
    assert (found.description, found.automation) == ("", "none")


async def test_a_deleted_one_comes_back(triggers: Triggers, client: Client) -> None:
    await Trigger.create.aio(nightly(), "etl.report", client=client)
    await Trigger.delete.aio("nightly", "etl.report", client=client)
    again = await Trigger.create.aio(nightly(), "etl.report", client=client)
    assert again.revision == 3
    assert triggers.deployed[-1].revision == 0
    assert [item.action async for item in again.revisions()] == ["deploy", "delete", "deploy"]


def change(triggers: Triggers) -> None:
    found = triggers.latest(KEY)
    assert found is not None
    triggers.put(found)


def remove(triggers: Triggers) -> None:
    found = triggers.latest(KEY)
    assert found is not None
    gone = deepcopy(found)
    status_of(gone).deleted_at = triggers.now()
    triggers.put(gone, TriggerRevisionAction.DELETE)


@pytest.mark.parametrize(
    "meanwhile, state", [(change, "is at revision 2"), (remove, "was deleted")], ids=["changed", "deleted"]
)
async def test_a_lost_race_is_told_as_one(
    meanwhile: Callable[[Triggers], None], state: str, triggers: Triggers, client: Client
) -> None:
    await Trigger.create.aio(nightly(), "etl.report", client=client)
    triggers.before_deploy = lambda: meanwhile(triggers)
    with pytest.raises(FailedPreconditionError, match=f"{state}, so revision 1 cannot be replaced") as caught:
        await Trigger.create.aio(nightly(description="mine"), "etl.report", client=client)
    assert isinstance(caught.value.__cause__, InternalError)
    assert caught.value.method == "flyteidl2.trigger.TriggerService/DeployTrigger"
    assert caught.value.request_id == caught.value.__cause__.request_id != ""


async def test_the_revision_that_was_read_is_the_one_replaced(triggers: Triggers, client: Client) -> None:
    made = await Trigger.create.aio(nightly(), "etl.report", client=client)
    read = await made.get_details.aio()
    await made.deactivate.aio()
    with pytest.raises(FailedPreconditionError, match="is at revision 2, so revision 1 cannot be replaced"):
        await Trigger.create.aio(read.trigger, "etl.report", revision=read.revision, client=client)
    now = await made.get_details.aio()
    assert (await Trigger.create.aio(now.trigger, "etl.report", revision=2, client=client)).is_active is False


async def test_other_failures_of_the_server_stay_what_they_are(triggers: Triggers, client: Client) -> None:
    def broken() -> None:
        abort(Status.INTERNAL, "no disk")

    def all_broken() -> None:
        triggers.refuse_reads = Status.PERMISSION_DENIED
        broken()

    triggers.before_deploy = broken
    with pytest.raises(InternalError, match="no disk"):
        await Trigger.create.aio(nightly(), "etl.report", client=client)
    triggers.put(details())
    with pytest.raises(InternalError, match="no disk"):
        await Trigger.create.aio(nightly(), "etl.report", client=client)
    triggers.before_deploy = all_broken
    with pytest.raises(InternalError, match="no disk"):
        await Trigger.create.aio(nightly(), "etl.report", client=client)
    with pytest.raises(PermissionDeniedError):
        await Trigger.create.aio(nightly(), "etl.report", client=client)


async def test_a_task_that_is_not_there(triggers: Triggers, client: Client) -> None:
    with pytest.raises(RemoteTaskNotFoundError, match=r"etl\.nope"):
        await Trigger.create.aio(nightly(), "etl.nope", client=client)
    with pytest.raises(RemoteTaskNotFoundError, match="v9"):
        await Trigger.create.aio(nightly(), "etl.report", "v9", client=client)
    assert triggers.asked == []


@pytest.mark.parametrize(
    "trigger, error, text",
    [
        (
            nightly(inputs={"day": DAY, "contry": "de"}),
            RemoteTaskUsageError,
            r"no input contry \(did you mean country\?\)",
        ),
        (nightly(inputs={"day": DAY}), RemoteTaskUsageError, "needs country"),
        (nightly(inputs={"dya": flyte.TriggerTime, "country": "de"}), RemoteTaskUsageError, "no input dya"),
        (nightly(inputs={"day": DAY, "country": 5}), TypeError, "country: expected str"),
        (
            nightly(inputs={"day": datetime(2026, 1, 1), "country": "x"}),
            ValueError,
            "day: the datetime has no time zone",
        ),
        (nightly(inputs={"day": DAY, "country": flyte.TriggerTime}), TypeError, "country flyte.TriggerTime.*takes str"),
        (
            flyte.Trigger(
                "t",
                flyte.OnArtifact("a"),
                inputs={"day": DAY, "country": "x", "limit": flyte.TriggeredPartition("n")},
            ),
            TypeError,
            "limit TriggeredPartition.*datetime or text; task etl.report takes int",
        ),
    ],
)
async def test_inputs_that_do_not_fit_are_never_deployed(
    trigger: flyte.Trigger, error: type[Exception], text: str, triggers: Triggers, client: Client
) -> None:
    with pytest.raises(error, match=text):
        await Trigger.create.aio(trigger, "etl.report", client=client)
    assert triggers.asked == []


async def test_what_receives_the_time_has_no_other_value(triggers: Triggers, client: Client) -> None:
    written = flyte.Trigger("t", flyte.FixedRate(5), inputs={"seen": flyte.TriggerTime})
    await Trigger.create.aio(written, "etl.restock", client=client)
    assert values(sent(triggers)[1]) == {"item": "pen"}


async def test_one_that_does_not_fire_may_leave_inputs_to_whoever_starts_it(triggers: Triggers, client: Client) -> None:
    await Trigger.create.aio(flyte.Trigger("t", inputs={"country": "de"}), "etl.report", client=client)
    assert values(sent(triggers)[1]) == {"country": "de", "limit": 10}


async def test_inputs_that_are_too_large(triggers: Triggers, client: Client) -> None:
    large = nightly(inputs={"day": DAY, "country": "x" * (11 << 20)})
    with pytest.raises(ValueError, match="country"):
        await Trigger.create.aio(large, "etl.report", client=client)
    assert triggers.asked == []


async def fill(triggers: Triggers, count: int = 5) -> None:
    for index in range(count):
        triggers.put(details(f"t{index}", active=index % 2 == 0, version=f"v{index % 3}"))
    other = TriggerIdentifier(name=TriggerName(project="p", domain="d", task_name="etl.restock", name="t9"))
    triggers.put(details(id=other))
    elsewhere = TriggerIdentifier(name=TriggerName(project="q", domain="e", task_name="etl.report", name="t8"))
    triggers.put(details(id=elsewhere))


async def test_listings(triggers: Triggers, client: Client) -> None:
    await fill(triggers)

    async def names(*args: Any, **settings: Any) -> list[str]:
        return [item.name async for item in Trigger.listall(*args, sort_by="name", client=client, **settings)]

    assert await names() == ["t0", "t1", "t2", "t3", "t4", "t9"]
    assert await names("etl.report") == ["t0", "t1", "t2", "t3", "t4"]
    assert await names("etl.report", "v0") == ["t0", "t3"]
    assert await names(task_version="v1") == ["t1", "t4", "t9"]
    assert await names(active=False) == ["t1", "t3"]
    assert await names("etl.report", active=True, limit=2) == ["t0", "t2"]
    assert await names(project="q", domain="e") == ["t8"]
    named = Filter(function=FilterFunction.EQUAL, field="name", values=["t4"])
    assert await names(filters=[named]) == ["t4"]
    backwards = Trigger.listall("etl.report", sort_by=[("active", "asc"), "-name"], client=client)
    assert [item.name async for item in backwards] == ["t3", "t1", "t4", "t2", "t0"]
    assert await asyncio.to_thread(lambda: [t.name for t in Trigger.listall("etl.restock", client=client)]) == ["t9"]
    odd = Filter(function=FilterFunction.EQUAL, field="colour", values=["red"])
    with pytest.raises(InvalidArgumentError, match="colour"):
        await names(filters=[odd])


async def test_listings_of_several_pages(triggers: Triggers, client: Client) -> None:
    await fill(triggers, 4)
    found = [item async for item in Trigger.listall("etl.report", page_size=2, sort_by="name", client=client)]
    assert [item.name for item in found] == ["t0", "t1", "t2", "t3"]
    # Two full pages, and an empty one: the server gives a token with each full page.
    assert [request.request and request.request.token for request in triggers.listed] == ["", "2", "4"]
    assert len(await Trigger.listall(page_size=2, limit=3, client=client).collect.aio()) == 3


async def test_without_a_sort_order_the_server_has_its_own(triggers: Triggers, client: Client) -> None:
    await fill(triggers)
    assert await Trigger.listall(client=client).first.aio() is not None
    assert triggers.listed[0].request is not None and triggers.listed[0].request.sort_by_fields == []


async def test_activate_and_deactivate(triggers: Triggers, client: Client) -> None:
    made = await Trigger.create.aio(nightly(), "etl.report", client=client)
    assert await made.deactivate.aio() is made
    assert (made.is_active, made.revision) == (False, 2)
    assert await asyncio.to_thread(made.activate) is made
    assert (made.is_active, made.revision) == (True, 3)
    assert (await made.activate.aio()).revision == 3
    await Trigger.update.aio("nightly", "etl.report", active=False, client=client)
    assert (await made.get_details.aio()).is_active is made.is_active is False
    history = await made.revisions().collect.aio()
    assert [item.action for item in history] == ["deactivate", "activate", "deactivate", "deploy"]


async def test_what_is_not_there_is_passed_over_or_told(triggers: Triggers, client: Client) -> None:
    await Trigger.update.aio("nope", "etl.report", True, client=client)
    await asyncio.to_thread(Trigger.delete, "nope", "etl.report", client=client)
    assert triggers.history == {}
    with pytest.raises(NotFoundError):
        await Trigger.get.aio(name="nope", task_name="etl.report", client=client)
    made = await Trigger.create.aio(nightly(), "etl.report", client=client)
    await Trigger.delete.aio("nightly", "etl.report", "p", "d", client=client)
    for move in (made.activate, made.deactivate, made.get_details):
        with pytest.raises(NotFoundError):
            await move.aio()
    assert [item.name async for item in Trigger.listall(client=client)] == []


async def test_other_projects(triggers: Triggers, client: Client) -> None:
    made = await Trigger.create.aio(nightly(), "etl.report", project="q", domain="e", client=client)
    assert (made.project, made.domain) == ("q", "e")
    assert (await made.deactivate.aio()).revision == 2
    assert (await made.get_details.aio()).project == "q"
    assert len(await made.revisions().collect.aio()) == 2
    with pytest.raises(NotFoundError):
        await Trigger.get.aio(name="nightly", task_name="etl.report", client=client)
    await Trigger.update.aio("nightly", "etl.report", True, project="q", domain="e", client=client)
    assert (await TriggerDetails.get.aio("nightly", "etl.report", project="q", domain="e", client=client)).is_active
    await Trigger.delete.aio("nightly", "etl.report", project="q", domain="e", client=client)
    assert await Trigger.listall(project="q", domain="e", client=client).first.aio() is None


async def test_revisions_and_their_details(triggers: Triggers, client: Client) -> None:
    made = await Trigger.create.aio(nightly(), "etl.report", client=client)
    await Trigger.create.aio(nightly(description="changed"), "etl.report", client=client)
    await Trigger.delete.aio("nightly", "etl.report", client=client)
    pages = TriggerRevision.listall("nightly", "etl.report", page_size=2, client=client)
    found = [item async for item in pages]
    assert [(item.revision, item.action) for item in found] == [(3, "delete"), (2, "deploy"), (1, "deploy")]
    assert found[0].created_at is not None
    assert repr(found[2]).startswith(
        "TriggerRevision(name='nightly', task_name='etl.report', revision=1, action='deploy'"
    )
    assert found == await made.revisions().collect.aio() and len({*found}) == 3
    first = await found[2].details.aio()
    assert (first.revision, first.description, first.deleted_at) == (1, "Reports of the day before", None)
    gone = await asyncio.to_thread(TriggerDetails.of_revision, "nightly", "etl.report", 3, client=client)
    assert gone.deleted_at is not None and gone.is_active is False
    with pytest.raises(NotFoundError, match="revision 4"):
        await TriggerDetails.of_revision.aio("nightly", "etl.report", 4, client=client)
    assert await TriggerRevision.listall("nope", "etl.report", client=client).first.aio() is None
    assert len(await first.revisions(limit=2).collect.aio()) == 2


SCHEDULE = KINDS.TYPE_SCHEDULE
HOUR = FixedRateUnit.HOUR


@pytest.mark.parametrize(
    "automation, text, read",
    [
        (None, "unspecified", None),
        (TriggerAutomationSpec(type=KINDS.TYPE_NONE), "none", "nothing"),
        (TriggerAutomationSpec(), "unspecified", None),
        (TriggerAutomationSpec(type=KINDS(7)), "unknown(7)", None),
        (TriggerAutomationSpec(type=SCHEDULE), "schedule: unset", None),
        (TriggerAutomationSpec(type=SCHEDULE, schedule=Schedule()), "schedule: unset", None),
        (
            TriggerAutomationSpec(schedule=Schedule(cron=Cron(expression="@hourly"))),
            "cron: @hourly (UTC)",
            flyte.Cron("@hourly"),
        ),
        (
            TriggerAutomationSpec(schedule=Schedule(rate=FixedRate(value=2, unit=HOUR))),
            "every 2 hours starting at now",
            flyte.FixedRate(120),
        ),
        (
            TriggerAutomationSpec(schedule=Schedule(rate=FixedRate(value=2, unit=FixedRateUnit(9)))),
            "every 2 unknown(9)s starting at now",
            None,
        ),
        # A server that knows no artifacts calls them nothing.
        (
            TriggerAutomationSpec(type=KINDS.TYPE_NONE, artifact=ArtifactTrigger(artifact_name="m")),
            "on artifact: m",
            flyte.OnArtifact("m"),
        ),
    ],
)
async def test_automations_of_other_clients_and_servers(
    automation: TriggerAutomationSpec | None, text: str, read: Any, triggers: Triggers, client: Client
) -> None:
    triggers.put(details(automation_spec=automation))
    found = await Trigger.get.aio(name="nightly", task_name="etl.report", client=client)
    listed = await Trigger.listall(client=client).first.aio()
    assert listed is not None and found.automation == listed.automation == text
    if read is None:
        with pytest.raises(ValueError, match=r"this release of flyte.Trigger cannot express"):
            found.trigger  # noqa: B018
    else:
        assert found.trigger.automation == (None if read == "nothing" else read)


async def test_old_ways_to_say_things_are_read(triggers: Triggers, client: Client) -> None:
    with pytest.warns(DeprecationWarning):
        schedule = Schedule(cron_expression="0 5 * * *")
    with pytest.warns(DeprecationWarning):
        run = RunSpec(overwrite_cache=True)
    triggers.put(
        details(
            spec=TriggerSpec(run_spec=run),
            automation_spec=TriggerAutomationSpec(schedule=schedule),
            description="outside",
        )
    )
    found = await Trigger.get.aio(name="nightly", task_name="etl.report", client=client)
    assert found.automation == "cron: 0 5 * * *"
    assert found.trigger == flyte.Trigger(
        "nightly", flyte.Cron("0 5 * * *"), "outside", auto_activate=False, overwrite_cache=True
    )


async def test_revisions_by_something_unknown(triggers: Triggers, client: Client) -> None:
    triggers.put(details(), TriggerRevisionAction(9))
    found = await TriggerRevision.listall("nightly", "etl.report", client=client).first.aio()
    assert found is not None and found.action == "unknown(9)"


async def test_subclasses_keep_their_class(triggers: Triggers, client: Client) -> None:
    class Mine(Trigger):
        pass

    class MyDetails(TriggerDetails):
        pass

    made = await Mine.create.aio(nightly(), "etl.report", client=client)
    listed = await Mine.listall(client=client).first.aio()
    assert type(made) is Mine and type(listed) is Mine and type(await made.deactivate.aio()) is Mine
    assert type(await MyDetails.get.aio("nightly", "etl.report", client=client)) is MyDetails
    assert type(await MyDetails.of_revision.aio("nightly", "etl.report", 1, client=client)) is MyDetails


NAME = {"name": "n", "task_name": "t"}


@pytest.mark.parametrize(
    "call, error, text",
    [
        (lambda c: Trigger.create("nightly", "t", client=c), TypeError, "trigger takes a flyte.Trigger, not str"),
        (lambda c: Trigger.create(nightly(), "", client=c), ValueError, "task_name must not be empty"),
        (lambda c: Trigger.create(nightly(), "t", "", client=c), ValueError, "task_version must not be empty"),
        (lambda c: Trigger.create(nightly(), "t", "v" * 64, client=c), ValueError, "task_version takes at most 63"),
        (lambda c: Trigger.create(nightly(), "t", revision=0, client=c), ValueError, "revision is 0"),
        (lambda c: Trigger.get(name="", task_name="t", client=c), ValueError, "name must not be empty"),
        (lambda c: Trigger.get(name="n", task_name="t" * 256, client=c), ValueError, "task_name takes at most 255"),
        (lambda c: Trigger.update("n", "t", None, client=c), TypeError, "active takes True or False"),
        (lambda c: Trigger.update("", "t", True, client=c), ValueError, "name must not be empty"),
        (lambda c: Trigger.delete("n", "", client=c), ValueError, "task_name must not be empty"),
        (lambda c: Trigger.listall("", client=c), ValueError, "task_name must not be empty"),
        (lambda c: Trigger.listall(task_version="", client=c), ValueError, "task_version must not be empty"),
        (lambda c: Trigger.listall(sort_by="nam", client=c), ValueError, "did you mean 'name'"),
        (lambda c: Trigger.listall(limit=-1, client=c), ValueError, "limit"),
        (lambda c: Trigger.listall(filters="active", client=c), TypeError, "filters takes several values"),
        (lambda c: TriggerRevision.listall("", "t", client=c), ValueError, "name must not be empty"),
        (lambda c: TriggerDetails.of_revision("n", "t", 0, client=c), ValueError, "revision is 0"),
        (lambda c: TriggerDetails.of_revision("n", "t", "1", client=c), TypeError, "revision takes a whole number"),
    ],
)
def test_bad_arguments_are_never_sent(call: Callable[[Client], Any], error: type[Exception], text: str) -> None:
    calls: list[CallRecord] = []
    client = Client("http://127.0.0.1:1", project="p", domain="d", on_call=calls.append)
    with client, pytest.raises(error, match=text):
        call(client)
    assert calls == []


async def test_a_server_without_triggers_says_so(tasks: Tasks) -> None:
    written = flyte.Trigger("nightly", None, inputs={"country": "NZ"})
    async with await serve([tasks]) as server, Client(server.endpoint, project="p", domain="d") as client:
        for call in (
            lambda: Trigger.create.aio(written, "etl.report", client=client),
            lambda: Trigger.get.aio(name="nightly", task_name="etl.report", client=client),
            lambda: Trigger.listall(client=client).collect.aio(),
            lambda: Trigger.update.aio("nightly", "etl.report", True, client=client),
            lambda: Trigger.delete.aio("nightly", "etl.report", client=client),
            lambda: TriggerRevision.listall("nightly", "etl.report", client=client).first.aio(),
        ):
            with pytest.raises(UnimplementedError, match="TriggerService"):
                await call()


async def test_identifiers_metadata_and_status(client: Client) -> None:
    created = await Trigger.create.aio(nightly(), "etl.report", client=client)
    details = await created.get_details.aio()
    assert created.id.name is not None and details.id.name == created.id.name
    assert (created.id.name.name, created.id.name.task_name, details.id.revision) == ("nightly", "etl.report", 1)
    assert details.status.deployed_at is not None and details.status.deployed_at.to_datetime() == details.deployed_at
    assert details.metadata == (details.pb2.metadata or type(details.metadata)())


async def test_notifications_are_deployed_and_read_back(client: Client) -> None:
    told = (
        Email(on_phase="failed", recipients="a@b.c", html_body="<p>"),
        NamedDelivery(on_phase="aborted", name="ops"),
    )
    created = await Trigger.create.aio(nightly(notifications=told), "etl.report", client=client)
    assert (await created.get_details.aio()).trigger.notifications == told
