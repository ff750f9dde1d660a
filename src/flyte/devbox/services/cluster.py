"""ClusterService."""

from __future__ import annotations

from collections.abc import Callable

from flyte_api.messages.flyteidl2.cluster.payload import SelectClusterRequest, SelectClusterResponse
from flyte_api.services.flyteidl2.cluster.cluster_service import ClusterServiceBase
from flyte_rpc.serving.server import ServerCall


class ClusterService(ClusterServiceBase):
    """The only cluster is this devbox."""

    def __init__(self, endpoint: Callable[[], str]) -> None:
        self._endpoint = endpoint

    async def select_cluster(self, request: SelectClusterRequest, call: ServerCall) -> SelectClusterResponse:
        """Select this devbox for all calls about data."""
        return SelectClusterResponse(cluster_endpoint=self._endpoint())
