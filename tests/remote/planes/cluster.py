"""ClusterService: where data is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from flyte_api.messages.flyteidl2.cluster.payload import SelectClusterRequest, SelectClusterResponse
from flyte_api.services.flyteidl2.cluster.cluster_service import ClusterServiceBase
from flyte_rpc.serving.server import ServerCall


class Clusters(ClusterServiceBase):
    """Answers every question with `answer`, once `gate` is open."""

    def __init__(self) -> None:
        self.asked: list[SelectClusterRequest] = []
        self.answer: Callable[[SelectClusterRequest], SelectClusterResponse] = lambda _: SelectClusterResponse()
        self.arrived = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    def name(self, endpoint: str, cluster: str = "") -> None:
        """Answer with this endpoint from now on."""
        self.answer = lambda _: SelectClusterResponse(cluster_endpoint=endpoint, cluster=cluster)

    async def select_cluster(self, request: SelectClusterRequest, call: ServerCall) -> SelectClusterResponse:
        self.asked.append(request)
        self.arrived.set()
        await self.gate.wait()
        return self.answer(request)
