"""DomainService: the domains of an organization."""

from __future__ import annotations

from flyte_api.messages.flyteidl2.org.domain_definition import Domain
from flyte_api.messages.flyteidl2.org.domain_service import (
    CreateDomainRequest,
    CreateDomainResponse,
    DeleteDomainRequest,
    DeleteDomainResponse,
    GetDomainRequest,
    GetDomainResponse,
    ListDomainsRequest,
    ListDomainsResponse,
    UpdateDomainRequest,
    UpdateDomainResponse,
)
from flyte_api.messages.google.protobuf.timestamp import Timestamp
from flyte_api.services.flyteidl2.org.domain_service import DomainServiceBase
from flyte_rpc.serving.server import ServerCall, Status, abort


class Domains(DomainServiceBase):
    """Keeps domains in memory."""

    def __init__(self, *ids: str) -> None:
        self.domains = {id: Domain(id=id, org="acme", friendly_name=id.title()) for id in ids}

    def _find(self, org: str, id: str) -> Domain:
        if org != "acme" or id not in self.domains:
            abort(Status.NOT_FOUND, f"there is no domain {id} in {org}")
        return self.domains[id]

    async def list_domains(self, request: ListDomainsRequest, call: ServerCall) -> ListDomainsResponse:
        return ListDomainsResponse(domains=list(self.domains.values()))

    async def get_domain(self, request: GetDomainRequest, call: ServerCall) -> GetDomainResponse:
        return GetDomainResponse(domain=self._find(request.org, request.id))

    async def create_domain(self, request: CreateDomainRequest, call: ServerCall) -> CreateDomainResponse:
        if request.id in self.domains:
            abort(Status.ALREADY_EXISTS, f"there is a domain {request.id}")
        made = Domain(
            id=request.id, org=request.org, friendly_name=request.friendly_name, created_at=Timestamp(seconds=1)
        )
        self.domains[request.id] = made
        return CreateDomainResponse(domain=made)

    async def update_domain(self, request: UpdateDomainRequest, call: ServerCall) -> UpdateDomainResponse:
        found = self._find(request.org, request.id)
        found.friendly_name = request.friendly_name
        return UpdateDomainResponse(domain=found)

    async def delete_domain(self, request: DeleteDomainRequest, call: ServerCall) -> DeleteDomainResponse:
        self._find(request.org, request.id)
        del self.domains[request.id]
        return DeleteDomainResponse()
