"""The largest values of an artifact that are sent."""

from __future__ import annotations

from flyte.remote import Artifact
from flyte.types import File
from flyte_rpc.calls.client import Client
from flyte_rpc.serving.server import serve
from remote.planes.artifact import Registry


async def test_the_largest_values_are_sent() -> None:
    async with (
        await serve([Registry()]) as server,
        Client(server.endpoint, org="o", project="p", domain="d", timeout=20) as client,
    ):
        first = await Artifact.create.aio(File("s3://b/a"), name="first", client=client)
        name, version, key = "n" * 255, "v" * 255, "k" * 64
        await Artifact.create.aio(
            File("s3://b/a"),
            name=name,
            version=version,
            description="d" * 255,
            parents=[first] * 32,
            partitions={key: "x"},
            client=client,
        )
        assert (await Artifact.get.aio(name, version, client=client)).description == "d" * 255
        keys = {f"k{n}": str for n in range(16)}
        await Artifact.declare.aio("many", keys, client=client)
        schema = await Artifact.get_schema.aio("many", client=client)
        assert sorted(schema.keys) == sorted(keys)
