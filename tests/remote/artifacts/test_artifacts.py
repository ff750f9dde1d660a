"""Artifacts: published, found, divided into partitions and deleted."""

from __future__ import annotations

import asyncio
import pickle
import re
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Literal

import pytest

import flyte
from flyte.artifacts import KIND_KEY, Card, Metadata, TimePartition, new
from flyte.devbox import Devbox
from flyte.errors import AlreadyExistsError, DecodeError, FailedPreconditionError, NotFoundError, UnimplementedError
from flyte.remote import Artifact, ArtifactGroup, PartitionSchema
from flyte.types import DataFrame, Dir, File, from_literal
from flyte_api.messages.flyteidl2.artifact.artifact import Artifact as ArtifactMessage
from flyte_api.messages.flyteidl2.artifact.artifact import ArtifactSpec
from flyte_api.messages.flyteidl2.artifact.artifact_service import (
    ArtifactGroup as GroupMessage,
)
from flyte_api.messages.flyteidl2.artifact.artifact_service import (
    ListArtifactsRequest,
    ListPartitionValuesRequest,
    ListPartitionValuesResponse,
)
from flyte_api.messages.flyteidl2.common.identity import Application, AppSpec, EnrichedIdentity
from flyte_api.messages.flyteidl2.core.artifact_id import (
    ArtifactCard,
    ArtifactInfo,
    ArtifactKey,
    ArtifactVersionId,
    Granularity,
    LabelValue,
    Partitions,
)
from flyte_api.messages.flyteidl2.core.artifact_id import TimePartition as TimePartitionMessage
from flyte_api.messages.flyteidl2.core.literals import Blob, Scalar
from flyte_api.messages.flyteidl2.core.literals import Literal as LiteralMessage
from flyte_api.messages.google.protobuf.timestamp import Timestamp
from flyte_rpc.calls.client import CallRecord, Client
from flyte_rpc.serving.server import ServerCall, serve
from remote import tasks
from remote.planes.artifact import FIRST, Registry
from remote.planes.cluster import Clusters

DATA = File("s3://bucket/a.csv", "csv", "h1")
NEW_YORK = timezone(timedelta(hours=-4))


class Model(Artifact):
    """An artifact of somebody's own class."""


@pytest.fixture
def registry() -> Registry:
    return Registry()


@pytest.fixture
async def client(registry: Registry) -> AsyncIterator[Client]:
    async with (
        await serve([registry]) as server,
        Client(server.endpoint, org="o", project="p", domain="d", timeout=20) as made,
    ):
        yield made


async def publish(client: Client, name: str = "raw", version: str | None = None, **about: Any) -> Artifact:
    return await Artifact.create.aio(about.pop("value", DATA), name=name, version=version, client=client, **about)


async def versions(client: Client, name: str | None = "raw", **selection: Any) -> list[str]:
    return [each.version async for each in Artifact.listall(name, client=client, **selection)]


# --- publishing -------------------------------------------------------------------------------------------------------


async def test_what_is_published_is_read_back(client: Client) -> None:
    card = Card(uri="s3://bucket/card.md", format="md", card_type="model")
    made = await publish(
        client,
        version="v1",
        description="clicks",
        attrs={"team": "ads"},
        kind="model",
        card=card,
        external_ref="hf://org/model",
        partitions={"date": date(2026, 8, 1), "region": "us", "shard": 7},
        parents=["v0", ArtifactVersionId(key=ArtifactKey(name="other"), version="v3")],
    )
    for found in (made, await Artifact.get.aio("raw", client=client)):
        assert (found.name, found.version, found.project, found.domain) == ("raw", "v1", "p", "d")
        assert found.tracker == "o/p/d/raw@v1"
        assert found.description == "clicks" and found.attrs == {"team": "ads", KIND_KEY: "model"}
        assert (found.kind, found.card, found.source) == ("model", card, "hf://org/model")
        assert found.partitions == {"date": date(2026, 8, 1), "region": "us", "shard": "7"}
        assert found.time_partition is not None and found.time_partition.granularity == Granularity.DAY
        assert [each.version for each in found.parents] == ["v0", "v3"]
        assert (found.source_run_url, found.source_action_url) == (None, None)
        assert found.url == f"{client.endpoint}/v2/domain/d/project/p/artifacts/raw"
        assert (found.created_by, found.created_at, found.partition_mismatch) == ("ada@example.com", FIRST, "")
        assert await found.to_python.aio() == DATA
    assert made == found and hash(made) == hash(found) and made.artifact_version_id == found.artifact_version_id
    assert repr(made).startswith(
        "Artifact(name='raw', version='v1', kind='model', partitions='date=2026-08-01, region=us"
    )
    assert pickle.loads(pickle.dumps(made)).partitions == made.partitions


async def test_little_needs_to_be_said(client: Client) -> None:
    one, two = await publish(client), await publish(client)
    assert len(one.version) == 32 and int(one.version, 16) and one.version != two.version
    assert (one.kind, one.source, one.partitions, one.parents, one.card) == ("generic", "", {}, (), None)
    child = await publish(client, parents=(one, two))
    assert child.parents == (one.artifact_version_id, two.artifact_version_id)


@pytest.mark.parametrize(
    ("value", "python_type", "read"),
    [
        (Dir("s3://bucket/parts", "csv"), None, Dir("s3://bucket/parts", "csv")),
        (DATA, File | None, DATA),
        (DataFrame("s3://bucket/t", "parquet"), None, DataFrame("s3://bucket/t", "parquet")),
    ],
)
async def test_kinds_of_values(value: Any, python_type: Any, read: Any, client: Client) -> None:
    made = await publish(client, value=value, python_type=python_type)
    assert await made.to_python.aio() == read
    assert await made.to_python.aio(type(read)) == read
    assert await made.to_python.aio(type(read) | None) == read


async def test_columns_of_data_frames_are_kept(client: Client) -> None:
    frame = DataFrame("s3://bucket/t", "parquet", {"a": int, "b": str, "c": Any})
    made = await (await publish(client, value=frame)).to_python.aio()
    assert made.columns == {"a": int, "b": str}


async def test_a_version_exists_once(client: Client) -> None:
    await publish(client, version="v1")
    with pytest.raises(AlreadyExistsError, match="raw@v1"):
        await publish(client, version="v1")


async def test_metadata_of_a_value_fills_in_for_arguments(client: Client) -> None:
    about = Metadata(
        name="raw",
        version="v1",
        description="d",
        attrs={"a": "b"},
        kind="data",
        partitions={"region": "us"},
        parents=["v0"],
    )
    value = new(DATA, about)
    assert value == DATA and getattr(DATA, "get_artifact_metadata", None) is None
    made = await Artifact.create.aio(
        pickle.loads(pickle.dumps(value)), description="other", kind="model", client=client
    )
    assert (made.name, made.version, made.description, made.kind) == ("raw", "v1", "other", "model")
    assert made.attrs["a"] == "b" and made.partitions == {"region": "us"} and len(made.parents) == 1


async def test_the_same_content_is_published_once(registry: Registry, client: Client) -> None:
    value = new(DATA, Metadata(name="raw", version_from_content=True))
    first = await Artifact.create.aio(value, client=client)
    again = await Model.create.aio(value, description="again", client=client)
    assert first.version == again.version == "h1" and len(registry.artifacts) == 1
    assert type(again) is Model and again.description == ""
    pinned = await Artifact.create.aio(value, version="v1", client=client)
    assert pinned.version == "v1"


async def test_what_is_on_this_machine_is_uploaded(box: Devbox, registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "a.csv").write_text("1\n")
    clusters = Clusters()
    clusters.name(box.endpoint, "c1")  # which stores files, and has no artifacts
    async with (
        await serve([registry, clusters]) as server,
        Client(server.endpoint, project="flytesnacks", domain="development", token=box.token, timeout=20) as client,
    ):
        file = await publish(client, value=File(str(tmp_path / "parts" / "a.csv"), "csv"))
        parts = await publish(client, value=Dir(str(tmp_path / "parts")))
        content = await publish(
            client, value=new(File(str(tmp_path / "parts" / "a.csv")), Metadata(name="raw", version_from_content=True))
        )
        with pytest.raises(FileNotFoundError, match="nothing"):
            await publish(client, value=File(str(tmp_path / "nothing")))
    stored = await file.to_python.aio()
    assert str(tmp_path) not in stored.uri and stored.open("r").read() == "1\n"
    assert stored.format == "csv" and stored.hash == content.version
    assert [each.name for each in (await parts.to_python.aio()).files()] == ["a.csv"]


async def test_a_frame_in_memory_is_uploaded(box: Devbox, registry: Registry) -> None:
    pytest.importorskip("pyarrow")
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": [1, 2]})
    clusters = Clusters()
    clusters.name(box.endpoint, "c1")
    async with (
        await serve([registry, clusters]) as server,
        Client(server.endpoint, project="flytesnacks", domain="development", token=box.token, timeout=20) as client,
    ):
        made = await publish(
            client, value=new(DataFrame.from_df(frame), Metadata(name="raw", version_from_content=True))
        )
        found = await made.to_python.aio()
        read = await asyncio.to_thread(found.read, pd.DataFrame)
    assert found.format == "parquet" and made.version == found.hash and read.equals(frame)


async def test_a_task_that_publishes_is_the_source(box: Devbox, registry: Registry) -> None:
    async with (
        await serve([registry]) as server,
        Client(server.endpoint, project="flytesnacks", domain="development", timeout=20) as client,
    ):
        task = await asyncio.to_thread(flyte.devbox.deploy, tasks.publish)
        run = await flyte.run.aio(task, endpoint=server.endpoint)
        await run.wait.aio(timeout=60, quiet=True)
        await run.outputs.aio()
        made = await Artifact.get.aio("made", client=client)
        [only] = await Artifact.listall(source_run=run.name, source_action="a0", client=client).collect.aio()
        assert only == made and await versions(client, source_run="other") == []
        # An action of one project can't be the source of something in another.
        elsewhere = await Artifact.get.aio("made", domain="production", client=client)
        named = await Artifact.get.aio("named", client=client)
    assert made.source == f"run {run.name}/a0 (attempt 1)"
    place = f"{client.endpoint}/v2/domain/development/project/flytesnacks/runs/{run.name}"
    assert (made.source_run_url, made.source_action_url) == (place, f"{place}?i=a0")
    assert (elsewhere.source, named.source) == ("", "s3://there")


# --- finding ----------------------------------------------------------------------------------------------------------


async def test_a_version_the_latest_one_or_none(client: Client) -> None:
    await publish(client, version="v1")
    await publish(client, version="v2")
    assert (await Artifact.get.aio("raw", "v1", client=client)).version == "v1"
    assert (await Artifact.get.aio("raw", client=client)).version == "v2"
    assert (await asyncio.to_thread(Artifact.get, "raw", "latest", client=client)).version == "v2"
    with pytest.raises(NotFoundError, match="no version v3"):
        await Artifact.get.aio("raw", "v3", client=client)
    with pytest.raises(NotFoundError, match="other"):
        await Artifact.get.aio("other", client=client)
    with pytest.raises(NotFoundError):
        await Artifact.get.aio("raw", project="elsewhere", client=client)


async def test_the_latest_of_a_partition(client: Client) -> None:
    for version, day, region in (("v1", 1, "us"), ("v2", 1, "eu"), ("v3", 1, "us"), ("v4", 2, "us")):
        await publish(client, version=version, partitions={"date": date(2026, 8, day), "region": region})
    found = await Artifact.get.aio("raw", date=date(2026, 8, 1), region="us", client=client)
    assert found.version == "v3"
    again = await Artifact.get.aio("raw", partitions={**found.partitions, "region": "us"}, region="eu", client=client)
    assert again.version == "v2", "keywords win"
    with pytest.raises(NotFoundError, match="artifact raw has no version in partition date=2026-08-01, region=ap"):
        await Artifact.get.aio("raw", date=date(2026, 8, 1), region="ap", client=client)
    with pytest.raises(NotFoundError, match="text only matches text keys"):
        await Artifact.get.aio("raw", date="2026-08-01", client=client)


async def test_text_that_reads_like_a_day_is_text(client: Client) -> None:
    made = await publish(client, partitions={"date": "2026-08-01"})
    assert made.partitions == {"date": "2026-08-01"}
    assert await Artifact.get.aio("raw", partitions=made.partitions, client=client) == made


async def test_all_pages_both_ways(registry: Registry, client: Client) -> None:
    for number in range(5):
        await publish(client, version=f"v{number}")
    newest = [f"v{number}" for number in (4, 3, 2, 1, 0)]
    assert await versions(client, page_size=2) == newest
    assert [(each.request.limit, each.request.token) for each in lists(registry) if each.request] == [
        (2, ""),
        (2, "2"),
        (2, "4"),
    ]
    assert await versions(client, limit=3) == newest[:3]
    assert await versions(client, limit=-1) == newest
    blocking = await asyncio.to_thread(lambda: [each.version for each in Artifact.listall("raw", client=client)])
    assert blocking == newest
    assert await versions(client, sort_by=("created_at", "asc")) == newest[::-1]
    assert await versions(client, project="elsewhere") == []


def lists(registry: Registry) -> list[ListArtifactsRequest]:
    return [each for each in registry.requests if isinstance(each, ListArtifactsRequest)]


async def test_filters(client: Client) -> None:
    await publish(client, "m", "v1", kind="model", attrs={"team": "ads", "stage": "test"})
    await publish(client, "m", "v2", kind="model", attrs={"team": "search"})
    await publish(client, "m", "v3", kind="data", attrs={"team": "ads"}, external_ref="s3://there")
    await publish(client, "n", "v4", attrs={"stage": "live"})

    async def found(name: str | None = None, **selection: Any) -> list[str]:
        return await versions(client, name, **selection)

    assert await found() == ["v4", "v3", "v2", "v1"]
    assert await found("n") == ["v4"]
    assert await found(kind="model") == ["v2", "v1"]
    assert await found(attrs={"team": "ads"}) == ["v3", "v1"]
    assert await found(attrs={"team": ["ads", "search"]}, kind="model") == ["v2", "v1"]
    assert await found(attrs={"team": "ads", "stage": "test"}) == ["v1"]
    assert await found(attrs={KIND_KEY: "data"}, kind="model") == []
    assert await found(source_external_ref="s3://there") == ["v3"]
    assert await found(created_after=FIRST + timedelta(minutes=1)) == ["v4", "v3"]
    in_new_york = (FIRST + timedelta(minutes=2)).astimezone(NEW_YORK)
    assert await found(created_after=in_new_york) == ["v4"]
    assert await Artifact.metadata_keys.aio(client=client) == [KIND_KEY, "stage", "team"]
    assert await Artifact.metadata_keys.aio("n", client=client) == ["stage"]


async def test_partitions_of_days(client: Client) -> None:
    for day in range(1, 6):
        for region in ("us", "eu"):
            await publish(client, version=f"{day}{region}", partitions={"date": date(2026, 8, day), "region": region})
    await publish(client, version="3us-again", partitions={"date": date(2026, 8, 3), "region": "us"})
    assert await versions(client, date=date(2026, 8, 2)) == ["2eu", "2us"]
    assert await versions(client, date=(date(2026, 8, 4), date(2026, 8, 5)), region="us") == ["5us", "4us"]
    assert await versions(client, region=["eu", "ap"], date=(date(2026, 8, 1), date(2026, 8, 2))) == ["2eu", "1eu"]
    assert await versions(client, region={"eu"}, partitions={"region": "us"}, date=date(2026, 8, 1)) == ["1eu"]
    month = TimePartition(date(2026, 8, 15), "month")
    latest = await versions(client, date=(month, month), region="us", latest_per_partition=True)
    assert latest == ["3us-again", "5us", "4us", "2us", "1us"]


async def test_partitions_of_hours(client: Client) -> None:
    for hour in (0, 13, 23):
        await publish(client, version=f"h{hour}", partitions={"hour": datetime(2026, 8, 1, hour, 59, 30, tzinfo=UTC)})
    newest = await Artifact.get.aio("raw", client=client)
    assert newest.partitions == {"hour": datetime(2026, 8, 1, 23, tzinfo=UTC)}
    # 13 in UTC, on the hour whatever the minutes.
    assert await versions(client, hour=datetime(2026, 8, 1, 9, 5, tzinfo=NEW_YORK)) == ["h13"]
    assert await versions(client, hour=(date(2026, 8, 1), date(2026, 8, 1))) == ["h23", "h13", "h0"], "the whole day"
    half_past = datetime(2026, 8, 1, 13, 30, tzinfo=UTC)
    assert await versions(client, hour=(half_past, half_past)) == ["h13"]
    assert await versions(client, hour=(half_past, date(2026, 8, 1))) == ["h23", "h13"]
    assert await versions(client, hour=TimePartition(half_past, "hour")) == ["h13"]


@pytest.mark.parametrize(
    ("granularity", "given", "start"),
    [
        ("week", date(2026, 8, 2), date(2026, 7, 27)),
        ("week", date(2026, 8, 3), date(2026, 8, 3)),
        ("month", datetime(2026, 2, 28, 23, tzinfo=NEW_YORK), date(2026, 3, 1)),
        ("month", date(2026, 12, 31), date(2026, 12, 1)),
        ("day", datetime(2026, 8, 1, 23, tzinfo=NEW_YORK), date(2026, 8, 2)),
    ],
)
async def test_longer_partitions(
    granularity: Literal["day", "week", "month"], given: date, start: date, client: Client
) -> None:
    made = await publish(client, partitions={"date": TimePartition(given, granularity)})
    assert made.partitions == {"date": start}
    assert await Artifact.get.aio("raw", date=TimePartition(given, granularity), client=client) == made
    assert await Artifact.get.aio("raw", partitions=made.partitions, client=client) == made


async def test_subclasses_keep_their_class(client: Client) -> None:
    made = await Model.create.aio(DATA, name="raw", partitions={"region": "us"}, client=client)
    assert type(made) is type(await Model.get.aio("raw", client=client)) is Model
    assert type(await Model.get.aio("raw", region="us", client=client)) is Model
    assert [type(each) async for each in Model.listall(client=client)] == [Model]


# --- by name, partition keys ------------------------------------------------------------------------------------------


async def test_artifacts_by_name(client: Client) -> None:
    await publish(client, "raw_clicks", "v1", partitions={"date": date(2026, 8, 2), "region": "us"})
    await publish(client, "raw_clicks", "v2", partitions={"date": date(2026, 8, 1), "region": "eu"})
    await publish(client, "model", "v9", description="the best")
    await publish(client, "raw_hours", "v1", partitions={"hour": datetime(2026, 8, 2, 5, tzinfo=UTC)})
    everything = [each async for each in ArtifactGroup.listall(page_size=2, client=client)]
    assert [each.name for each in everything] == ["raw_hours", "model", "raw_clicks"]
    hours, model, clicks = everything
    assert (clicks.versions, clicks.latest.version, type(clicks.latest)) == (2, "v2", Artifact)
    assert clicks.partition_schema == PartitionSchema("date", "day", ("region",))
    assert clicks.latest_time_partition == date(2026, 8, 2) and clicks.latest_partitions == [{"region": "us"}]
    assert hours.latest_time_partition == datetime(2026, 8, 2, 5, tzinfo=UTC)
    assert (model.partition_schema, model.latest_time_partition) == (None, None)
    assert "latest_version='v9', description='the best'" in repr(model)
    assert "partitions='date, region', latest_partition='2026-08-02'" in repr(clicks)
    names = await asyncio.to_thread(lambda: [each.name for each in Artifact.list_names("raw", client=client)])
    assert names == ["raw_hours", "raw_clicks"]
    assert [each.name async for each in Artifact.list_names.aio(limit=1, client=client)] == ["raw_hours"]
    assert await ArtifactGroup.listall("nothing", client=client).first.aio() is None


@pytest.mark.parametrize(
    ("partitions", "schema"),
    [
        ({"region": str, "date": date, "shard": int}, PartitionSchema("date", "day", ("region", "shard"), True)),
        ({"at": datetime}, PartitionSchema("at", "hour", (), True)),
        ({"at": "hour", "x": "str"}, PartitionSchema("at", "hour", ("x",), True)),
        ({"date": "week"}, PartitionSchema("date", "week", (), True)),
        ({"date": "month"}, PartitionSchema("date", "month", (), True)),
        ({}, PartitionSchema(declared=True)),
    ],
)
async def test_declared_keys(partitions: Mapping[str, Any], schema: PartitionSchema, client: Client) -> None:
    assert await Artifact.declare.aio("raw", partitions, client=client) == schema
    assert await Artifact.declare.aio("raw", partitions, client=client) == schema, "once more"
    assert await Artifact.get_schema.aio("raw", client=client) == schema
    with pytest.raises(FailedPreconditionError, match="other partition keys"):
        await Artifact.declare.aio("raw", {"other": str}, client=client)


async def test_a_version_that_does_not_fit_the_keys_says_so(client: Client) -> None:
    await Artifact.declare.aio("raw", {"date": date}, client=client)
    assert (await publish(client, partitions={"date": date(2026, 8, 1)})).partition_mismatch == ""
    assert "not those of the artifact" in (await publish(client, partitions={"region": "us"})).partition_mismatch


async def test_keys_of_the_first_version(client: Client) -> None:
    await publish(client, partitions={"region": "us", "date": TimePartition(date(2026, 8, 1), "month")})
    schema = await asyncio.to_thread(Artifact.get_schema, "raw", client=client)
    assert schema == PartitionSchema("date", "month", ("region",), declared=False)
    assert schema.all_keys == ("date", "region")
    with pytest.raises(NotFoundError, match="no artifact other"):
        await Artifact.get_schema.aio("other", client=client)


async def test_values_of_partition_keys(registry: Registry, client: Client) -> None:
    for day, region in ((2, "us"), (1, "us"), (1, "eu")):
        await publish(client, partitions={"date": date(2026, 8, day), "region": region})
    await publish(client, "hourly", partitions={"hour": datetime(2026, 8, 1, 13, tzinfo=UTC)})

    async def values(name: str, key: str, **about: Any) -> list[Any]:
        return await Artifact.partition_values.aio(name, key, client=client, **about)

    assert await values("raw", "region") == ["eu", "us"]
    assert await values("raw", "region", date=date(2026, 8, 2)) == ["us"]
    assert await values("raw", "date") == [date(2026, 8, 1), date(2026, 8, 2)]
    assert await values("raw", "date", partitions={"region": ["us", "eu"]}, limit=1) == [date(2026, 8, 1)]
    assert await values("hourly", "hour") == [datetime(2026, 8, 1, 13, tzinfo=UTC)]
    asked = [each.request for each in registry.requests if isinstance(each, ListPartitionValuesRequest)]
    assert [each.limit for each in asked if each is not None] == [1000, 1000, 1000, 1, 1000]
    with pytest.raises(ValueError, match=r"no partition key 'day'; its keys are date, region"):
        await values("raw", "day")
    with pytest.raises(NotFoundError):
        await values("other", "day")


# --- deleting ---------------------------------------------------------------------------------------------------------


async def test_a_deleted_version_is_gone(client: Client) -> None:
    made = [await publish(client, version=version) for version in ("v1", "v2")]
    assert await made[1].delete.aio() is True
    assert await made[1].delete.aio() is False
    assert (await Artifact.get.aio("raw", client=client)).version == "v1"
    with pytest.raises(NotFoundError):
        await Artifact.get.aio("raw", "v2", client=client)
    assert await asyncio.to_thread(made[0].delete) is True
    assert await versions(client) == []


# --- literals ---------------------------------------------------------------------------------------------------------


async def test_literals_know_their_artifact(client: Client) -> None:
    made = await publish(client, version="v1")
    assert made.literal.artifact_id == made.artifact_version_id
    assert from_literal(made.literal) == DATA
    stored = made.pb2.spec
    assert stored is not None and stored.value is not None and stored.value.artifact_id is None, "it is a copy"
    assert await made.coerce_to_literal.aio() == made.literal
    wrapped = await made.coerce_to_literal.aio(File | None)
    assert wrapped.artifact_id == made.artifact_version_id
    assert wrapped.scalar is not None and wrapped.scalar.union is not None and from_literal(wrapped) == DATA
    theirs = ArtifactVersionId(key=ArtifactKey(org="x", name="raw"), version="v1")
    stored.value.artifact_id = theirs
    assert made.literal.artifact_id == theirs == (await made.coerce_to_literal.aio(File)).artifact_id
    with pytest.raises(TypeError, match=r"o/p/d/raw@v1: expected Dir, got File"):
        await made.to_python.aio(Dir)
    with pytest.raises(TypeError, match="expected"):
        await asyncio.to_thread(made.coerce_to_literal, Dir)


async def test_pickles_are_loaded_on_request_only(tmp_path: Path, client: Client) -> None:
    (tmp_path / "p").write_bytes(pickle.dumps({"a": 1}))
    made = await publish(client, value=File((tmp_path / "p").as_uri(), "PythonPickle"))
    with pytest.raises(TypeError, match=r"o/p/d/raw@.* has no Python form: it is pickled"):
        await made.to_python.aio()
    assert await made.to_python.aio(allow_pickle=True) == {"a": 1}


async def test_a_task_takes_an_artifact(box: Devbox, client: Client, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("seven")
    made = await publish(client, value=File((tmp_path / "a.txt").as_uri()))
    task = await asyncio.to_thread(flyte.devbox.deploy, tasks.length)
    run = await flyte.run.aio(task, data=made)
    await run.wait.aio(timeout=60, quiet=True)
    assert (await run.outputs.aio())[0] == 5
    inputs = await run.inputs.aio()
    assert inputs.literals["data"].artifact_id == made.artifact_version_id


# --- what servers may say ---------------------------------------------------------------------------------------------


def partitioned(granularity: int, key: str = "date") -> Artifact:
    value = LabelValue(time_value=Timestamp.of(FIRST))
    moment = TimePartitionMessage(value=value, granularity=Granularity(granularity), key=key)
    return Artifact(ArtifactMessage(spec=ArtifactSpec(time_partition=moment)))


def test_what_a_newer_server_sends_is_shown() -> None:
    assert partitioned(42).partitions == {"date": FIRST}
    assert partitioned(Granularity.MINUTE).partitions == {"date": FIRST}
    assert partitioned(Granularity.UNSET).partitions == {"date": FIRST.date()}
    assert partitioned(Granularity.HOUR, "").partitions == {"hour": FIRST}
    assert partitioned(Granularity.WEEK, "").partitions == {"date": FIRST.date()}
    labelled = Partitions(value={"at": LabelValue(time_value=Timestamp.of(FIRST)), "x": LabelValue()})
    assert Artifact(ArtifactMessage(spec=ArtifactSpec(partitions=labelled))).partitions == {
        "at": FIRST,
        "x": LabelValue(),
    }
    info = ArtifactInfo(user_metadata={KIND_KEY: "robot"}, card=ArtifactCard(uri="u", format="gif", type="robot"))
    robot = Artifact(ArtifactMessage(spec=ArtifactSpec(info=info)))
    assert robot.kind == "robot" and robot.card is not None and robot.card.format == "gif"
    old = ArtifactInfo(card=ArtifactCard(type="model"))
    assert Artifact(ArtifactMessage(spec=ArtifactSpec(info=old))).kind == "model"
    program = EnrichedIdentity(application=Application(spec=AppSpec(name="ci")))
    assert Artifact(ArtifactMessage(created_by=program)).created_by == "ci"


async def test_empty_messages_are_no_error(client: Client) -> None:
    nothing = Artifact(ArtifactMessage(), client)
    assert (nothing.name, nothing.version, nothing.kind, nothing.source, nothing.created_by) == (
        "",
        "",
        "generic",
        "",
        "",
    )
    assert (nothing.partitions, nothing.attrs, nothing.parents, nothing.created_at) == ({}, {}, (), None)
    assert repr(nothing) == "Artifact(kind='generic')"
    with pytest.raises(TypeError, match="has no Python form: it is empty"):
        await nothing.to_python.aio()
    group = ArtifactGroup(GroupMessage(), client)
    assert (group.name, group.versions, group.latest_partitions) == ("", 0, [])
    assert repr(group) == "ArtifactGroup(versions=0)"


@pytest.mark.parametrize("value", ["yesterday", "0001-01-01T00:00:00+05:00"])
async def test_a_time_that_is_none_is_a_reply_that_cannot_be_read(value: str) -> None:
    class Confused(Registry):
        async def list_partition_values(
            self, request: ListPartitionValuesRequest, call: ServerCall
        ) -> ListPartitionValuesResponse:
            return ListPartitionValuesResponse(values=[value])

    async with await serve([Confused()]) as server, Client(server.endpoint, project="p", domain="d") as other:
        await Artifact.declare.aio("raw", {"date": date}, client=other)
        with pytest.raises(DecodeError, match=re.escape(f"sent {value!r}")):
            await Artifact.partition_values.aio("raw", "date", client=other)


def test_a_devbox_has_no_artifacts(box: Devbox) -> None:
    for call in (
        lambda: Artifact.get("raw"),
        lambda: Artifact.listall().first(),
        lambda: ArtifactGroup.listall().first(),
        lambda: Artifact.create(DATA, name="raw"),
        lambda: Artifact.declare("raw", {}),
        lambda: Artifact.get_schema("raw"),
        lambda: Artifact.metadata_keys(),
        lambda: Artifact(ArtifactMessage(), flyte.current_client()).delete(),
    ):
        with pytest.raises(UnimplementedError, match="ArtifactService"):
            call()


# --- bad arguments ----------------------------------------------------------------------------------------------------

NAIVE = datetime(2026, 8, 1, 13)


@pytest.mark.parametrize(
    ("about", "error", "complaint"),
    [
        ({"value": "a.csv"}, TypeError, r"value takes a File, a Dir or a DataFrame.*not str; File\.from_local"),
        ({"value": 3}, TypeError, "value takes a File.*not int"),
        ({"value": {"a": 1}}, TypeError, "not dict"),
        ({"value": File("")}, ValueError, "value: the File has an empty URI"),
        ({"value": DataFrame("t.parquet")}, ValueError, "value is a local path"),
        ({"python_type": Dir}, TypeError, "value: expected .*Dir"),
        ({"python_type": object}, TypeError, "no Flyte type"),
        ({"name": None}, ValueError, "name is missing"),
        ({"name": ""}, ValueError, "name must not be empty"),
        ({"name": "a/b"}, ValueError, "name is 'a/b'; it takes letters"),
        ({"name": "x" * 256}, ValueError, "name takes at most 255"),
        ({"name": 7}, TypeError, "name takes text, not int"),
        ({"version": ""}, ValueError, "version must not be empty"),
        ({"version": "v" * 256}, ValueError, "version takes at most 255"),
        ({"description": "d" * 256}, ValueError, "description takes at most 255"),
        ({"attrs": {"a": 1}}, TypeError, "attrs takes text for keys and values, not 'a': int"),
        ({"attrs": ["a"]}, TypeError, "attrs takes a mapping"),
        ({"kind": "robot"}, ValueError, "kind must be one of 'model', 'data', 'generic', not 'robot'"),
        ({"card": "s3://card"}, TypeError, "card takes a flyte.artifacts.Card"),
        ({"card": Card(uri="")}, ValueError, "card.uri must not be empty"),
        ({"card": Card(uri="u", format="gif")}, ValueError, "card.format must be one of 'html'"),  # type: ignore[arg-type]
        ({"external_ref": ""}, ValueError, "external_ref must not be empty"),
        ({"external_ref": "x" * 1025}, ValueError, "external_ref takes at most 1024"),
        ({"parents": "v1"}, TypeError, r"parents takes several values.*parents=\('v1',\)"),
        ({"parents": ["v"] * 33}, ValueError, "parents takes at most 32 versions, not 33"),
        ({"parents": ["v1", ""]}, ValueError, r"parents\[1\] must not be empty"),
        ({"parents": [3]}, TypeError, r"parents\[0\] takes a version, an Artifact"),
        ({"partitions": ["a"]}, TypeError, "partitions takes a mapping"),
        ({"partitions": {"": "a"}}, ValueError, "a key of partitions must not be empty"),
        ({"partitions": {1: "a"}}, TypeError, "a key of partitions takes text"),
        ({"partitions": {"x" * 65: "a"}}, ValueError, "a key of partitions takes at most 64"),
        ({"partitions": {"region": None}}, ValueError, "partition 'region' is None"),
        ({"partitions": {"region": ""}}, ValueError, "partition 'region' must not be empty"),
        ({"partitions": {"region": ["us", "eu"]}}, TypeError, "partition 'region' takes a single value here"),
        ({"partitions": {"region": b"us"}}, TypeError, "partition 'region' takes a single value here, not bytes"),
        ({"partitions": {"hour": NAIVE}}, ValueError, "partition 'hour' has no time zone"),
        (
            {"partitions": {"a": date(2026, 8, 1), "b": NAIVE.replace(tzinfo=UTC)}},
            ValueError,
            "'a' and 'b' are both times",
        ),
        (
            {"partitions": {"hour": datetime.max.replace(tzinfo=NEW_YORK)}},
            ValueError,
            "partition 'hour' is outside the years 1 to 9999",
        ),
        ({"value": new(Dir("s3://b"), Metadata(name="raw", version_from_content=True))}, ValueError, "content hash"),
        ({"project": ""}, ValueError, "project must not be empty"),
    ],
)
async def test_what_cannot_be_published_is_not_sent(
    about: dict[str, Any], error: type[Exception], complaint: str, registry: Registry, client: Client
) -> None:
    given: dict[str, Any] = {"value": DATA, "name": "raw", **about}
    if given["name"] == "raw" and "content hash" in complaint:
        del given["name"]
    with pytest.raises(error, match=complaint):
        await Artifact.create.aio(**given, client=client)
    assert registry.requests == []


@pytest.mark.parametrize(
    ("selection", "error", "complaint"),
    [
        ({"name": "a b"}, ValueError, "name is 'a b'"),
        ({"created_after": NAIVE}, ValueError, "created_after has no time zone"),
        ({"created_after": date(2026, 8, 1)}, TypeError, "created_after takes a datetime"),
        ({"limit": -2}, ValueError, "limit"),
        ({"page_size": 0}, ValueError, "page_size"),
        ({"kind": "robot"}, ValueError, "kind must be one of"),
        ({"attrs": {"team": []}}, ValueError, r"attrs\['team'\] is empty"),
        ({"attrs": {"team": [1]}}, TypeError, r"attrs\['team'\] takes text"),
        ({"attrs": "team"}, TypeError, "attrs takes a mapping"),
        ({"source_run": ["r1"]}, TypeError, "source_run takes a string"),
        ({"latest_per_partition": True}, ValueError, "latest_per_partition requires name"),
        ({"partitions": "us"}, TypeError, "partitions takes a mapping"),
        ({"region": None}, ValueError, "partition 'region' is None"),
        ({"region": []}, ValueError, "partition 'region' is empty"),
        ({"region": ["us", None]}, ValueError, "partition 'region' has None"),
        ({"region": ("us", "eu")}, TypeError, "several texts go in a list"),
        ({"date": ("2026-08-01", "2026-08-31")}, TypeError, "a range of two times"),
        ({"date": [date(2026, 8, 1)]}, TypeError, "not a list of times"),
        ({"date": (date(2026, 8, 1),)}, TypeError, "a range of two times"),
        ({"date": (date(2026, 8, 1), None)}, TypeError, "a range of two times"),
        ({"date": (date(2026, 8, 2), date(2026, 8, 1))}, ValueError, r"ends \(2026-08-01\) before it begins"),
        ({"hour": (NAIVE, NAIVE)}, ValueError, "partition 'hour' has no time zone"),
        ({"date": date(2026, 8, 1), "hour": (date(2026, 8, 1), date(2026, 8, 1))}, ValueError, "both times"),
        ({"date": (date.min, TimePartition(date.max, "week"))}, ValueError, "outside the years"),
    ],
)
async def test_what_cannot_be_listed_is_not_asked_for(
    selection: dict[str, Any], error: type[Exception], complaint: str
) -> None:
    calls: list[CallRecord] = []
    async with Client("http://127.0.0.1:1", project="p", domain="d", on_call=calls.append) as client:
        with pytest.raises(error, match=complaint):
            Artifact.listall(**selection, client=client)
    assert calls == []


@pytest.mark.parametrize(
    ("call", "error", "complaint"),
    [
        (lambda c: Artifact.get.aio("", client=c), ValueError, "name must not be empty"),
        (lambda c: Artifact.get.aio("a", "", client=c), ValueError, "version must not be empty"),
        (lambda c: Artifact.get.aio("a", "v1", region="us", client=c), ValueError, "version or partitions, not both"),
        (lambda c: Artifact.get.aio("a", region=["us"], client=c), TypeError, "latest_per_partition=True"),
        (lambda c: Artifact.get.aio("a", date=(date.min, date.max), client=c), TypeError, "a single value here"),
        (lambda c: Artifact.get.aio("a", region=None, client=c), ValueError, "partition 'region' is None"),
        (lambda c: Artifact.declare.aio("a", {"date": "year"}, client=c), ValueError, "'date' is declared as 'year'"),
        (lambda c: Artifact.declare.aio("a", {"x": []}, client=c), ValueError, r"'x' is declared as \[\]"),
        (lambda c: Artifact.declare.aio("a", {"x": date, "y": "hour"}, client=c), ValueError, "'x' and 'y' are both"),
        (lambda c: Artifact.declare.aio("a", {"": str}, client=c), ValueError, "a key of partitions must not be"),
        (lambda c: Artifact.declare.aio("a", ["x"], client=c), TypeError, "takes a mapping of keys to kinds"),
        (lambda c: Artifact.declare.aio("a", {f"k{n}": str for n in range(17)}, client=c), ValueError, "at most 16"),
        (lambda c: Artifact.get_schema.aio("a/b", client=c), ValueError, "name is 'a/b'"),
        (lambda c: Artifact.partition_values.aio("a", "", client=c), ValueError, "key must not be empty"),
        (lambda c: Artifact.partition_values.aio("a", "k", limit=0, client=c), ValueError, "limit is 0"),
        (lambda c: Artifact.partition_values.aio("a", "k", x=None, client=c), ValueError, "partition 'x' is None"),
    ],
)
async def test_bad_arguments_are_refused_before_anything_is_sent(
    call: Any, error: type[Exception], complaint: str
) -> None:
    calls: list[CallRecord] = []
    async with Client("http://127.0.0.1:1", project="p", domain="d", on_call=calls.append) as client:
        with pytest.raises(error, match=complaint):
            await call(client)
    assert calls == []


def test_time_partitions_and_metadata_are_checked_where_they_are_written() -> None:
    with pytest.raises(ValueError, match=r"TimePartition\.granularity must be one of 'hour'"):
        TimePartition(date(2026, 8, 1), "year")  # type: ignore[arg-type]  # That is the mistake.
    with pytest.raises(TypeError, match=r"TimePartition\.value takes a date"):
        TimePartition("2026-08-01")  # type: ignore[arg-type]  # That is the mistake.
    with pytest.raises(ValueError, match=r"TimePartition\.value has no time zone"):
        TimePartition(NAIVE, "week")
    with pytest.raises(TypeError, match=r"value takes a File, a Dir .*not int"):
        new(3, Metadata(name="raw"))
    with pytest.raises(TypeError, match=r"metadata takes a flyte\.artifacts\.Metadata"):
        new(DATA, {"name": "raw"})  # type: ignore[arg-type]  # That is the mistake.


async def test_what_a_value_tells_of_itself_is_checked(client: Client) -> None:
    class Told(File):
        def get_artifact_metadata(self) -> Any:
            return {"name": "raw"}

    with pytest.raises(TypeError, match=r"get_artifact_metadata\(\) returns dict"):
        await Artifact.create.aio(Told("s3://b/a"), client=client)


def test_scalars_of_other_kinds_are_files_still() -> None:
    literal = LiteralMessage(scalar=Scalar(blob=Blob(uri="s3://b")))
    assert Artifact(ArtifactMessage(spec=ArtifactSpec(value=literal))).to_python() == File("s3://b")
