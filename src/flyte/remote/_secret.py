"""Secrets: values that tasks can use and nobody can read back."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal, NamedTuple, Self

from flyte._client import resolve_client
from flyte._routing import Operation, route
from flyte_api.clients.flyteidl2.secret.secret_service import SecretServiceClient
from flyte_api.entities.secret import SecretBase
from flyte_api.messages.flyteidl2.common.identifier import (
    ClusterPoolIdentifier,
    DomainIdentifier,
    OrgIdentifier,
    ProjectIdentifier,
)
from flyte_api.messages.flyteidl2.secret.definition import SecretIdentifier, SecretSpec
from flyte_api.messages.flyteidl2.secret.definition import SecretType as TypeOfSecret
from flyte_api.messages.flyteidl2.secret.payload import CreateSecretRequest, ListSecretsRequest, UpdateSecretRequest
from flyte_rpc.arguments import text
from flyte_rpc.calls.client import Client
from flyte_rpc.calls.options import within_timeout
from flyte_rpc.codec.message import Message
from flyte_rpc.entities.entity import entity_key
from flyte_rpc.entities.listing import listing
from flyte_rpc.entities.pager import Page, Pager
from flyte_rpc.redaction import hiding
from flyte_rpc.sync.decorators import blocking, fetching

SecretType = Literal["regular", "image_pull"]
SecretTypes = SecretType
"""The official SDK's name for `SecretType`."""
_TYPES: dict[str, TypeOfSecret] = {"regular": TypeOfSecret.GENERIC, "image_pull": TypeOfSecret.IMAGE_PULL_SECRET}
_ORGANIZATION = ("image_pull",)
"""Types that are not specific to a project and belong to the organization."""


class _Place(NamedTuple):
    """The scope of a secret, and the client to use for it."""

    project: str
    domain: str
    client: Client

    @property
    def service(self) -> SecretServiceClient:
        """The calls."""
        return SecretServiceClient(self.client)

    def secret(self, name: str) -> SecretIdentifier:
        """Return the identifier of a secret."""
        return SecretIdentifier(organization=self.client.org, name=name, project=self.project, domain=self.domain)


class Secret(SecretBase):
    """A secret for tasks. Its value is sent to the control plane and cannot be read back.

    A secret belongs to a project and domain, to a domain, or to the whole organization. Choose with
    `project` and `domain`. They default to the client's; "" means none.
    """

    @property
    def type(self) -> str:
        """`regular`, `image_pull`, or `unknown(9)` for a type of a newer server."""
        found = TypeOfSecret.GENERIC if self.pb2.secret_metadata is None else self.pb2.secret_metadata.type
        return next((name for name, known in _TYPES.items() if known == found), f"unknown({int(found)})")

    @property
    def presence(self) -> str:
        """Availability on clusters: `fully_present`, `partially_present`, `unknown_status` or `unspecified`."""
        metadata = self.pb2.secret_metadata
        if metadata is None or metadata.secret_status is None:
            return "unspecified"
        found = metadata.secret_status.overall_status
        return found.name.lower() if found.name else f"unknown({int(found)})"

    _REPR = ("name", "type", "project", "domain", "created_at")

    @blocking
    @classmethod
    @within_timeout
    async def create(
        cls,
        name: str,
        value: str | bytes,
        type: SecretType = "regular",
        cluster_pool: str | None = None,
        *,
        timeout: float | timedelta | None = None,
        project: str | None = None,
        domain: str | None = None,
        client: Client | None = None,
    ) -> None:
        """Create a secret.

        Args:
            name: Name that tasks use.
            value: The value, text or bytes.
            type: "regular", or "image_pull" for image registry credentials, which belong to the organization.
                Default: "regular".
            cluster_pool: Store it only on the clusters of this pool. It then belongs to the organization. Default: all.
            timeout: Maximum seconds for all calls together, retries included, or a timedelta. Default: the client's
                for each.
            project: Project id; "" for none. Default: the client's, if it has one.
            domain: Domain id; "" for none. Default: the client's, if it has one.
            client: The client for the calls. Default: the current one.

        Raises:
            ValueError: An argument is invalid, or two arguments conflict; nothing was sent.
            TypeError: The value is neither text nor bytes; nothing was sent.
            AlreadyExistsError: A secret of that name exists.
            RpcError: The call failed; the subclass says how.

        Calls `SecretService.CreateSecret`.
        """
        spec = _spec(value, type)
        place = await _place(name, client, project, domain, cluster_pool, type)
        with hiding(value):
            await place.service.create_secret.aio(CreateSecretRequest(id=place.secret(name), secret_spec=spec))

    @blocking
    @classmethod
    @within_timeout
    async def update(
        cls,
        name: str,
        value: str | bytes,
        type: SecretType = "regular",
        cluster_pool: str | None = None,
        *,
        timeout: float | timedelta | None = None,
        project: str | None = None,
        domain: str | None = None,
        client: Client | None = None,
    ) -> None:
        """Change the value of a secret. Running tasks keep the old value.

        Args:
            name: The secret.
            value: The new value, text or bytes.
            type: The type, as in `create`. Default: "regular".
            cluster_pool: The cluster pool of the secret. Default: none.
            timeout: Maximum seconds for all calls together, retries included, or a timedelta. Default: the client's
                for each.
            project: Project id; "" for none. Default: the client's, if it has one.
            domain: Domain id; "" for none. Default: the client's, if it has one.
            client: The client for the calls. Default: the current one.

        Raises:
            ValueError: An argument is invalid, or two arguments conflict; nothing was sent.
            TypeError: The value is neither text nor bytes; nothing was sent.
            NotFoundError: The secret does not exist.
            RpcError: The call failed; the subclass says how.

        Calls `SecretService.UpdateSecret`.
        """
        spec = _spec(value, type)
        place = await _place(name, client, project, domain, cluster_pool, type)
        with hiding(value):
            await place.service.update_secret.aio(UpdateSecretRequest(id=place.secret(name), secret_spec=spec))

    @fetching
    @classmethod
    @within_timeout
    async def get(
        cls,
        name: str,
        cluster_pool: str | None = None,
        *,
        timeout: float | timedelta | None = None,
        project: str | None = None,
        domain: str | None = None,
        client: Client | None = None,
    ) -> Self:
        """Fetch a secret without its value.

        Args:
            name: The secret.
            cluster_pool: The cluster pool of the secret. Default: none.
            timeout: Maximum seconds for all calls together, retries included, or a timedelta. Default: the client's
                for each.
            project: Project id; "" for none. Default: the client's, if it has one.
            domain: Domain id; "" for none. Default: the client's, if it has one.
            client: The client for the calls. Default: the current one.

        Raises:
            ValueError: An argument is invalid, or two arguments conflict; nothing was sent.
            NotFoundError: The secret does not exist.
            RpcError: The call failed; the subclass says how.

        Calls `SecretService.GetSecret`.
        """
        place = await _place(name, client, project, domain, cluster_pool)
        found = await cls._get.aio(name, project=place.project, domain=place.domain, client=place.client)
        return cls(found.pb2, client)

    @listing
    @classmethod
    def listall(
        cls,
        limit: int | None = None,
        cluster_pool: str | None = None,
        *,
        include_system_secrets: bool = False,
        page_size: int | None = None,
        timeout: float | timedelta | None = None,
        project: str | None = None,
        domain: str | None = None,
        client: Client | None = None,
    ) -> Pager[Self]:
        """List secrets.

        Args:
            limit: Maximum number of items. Default: all.
            cluster_pool: Only secrets of this cluster pool. Default: none.
            include_system_secrets: Include secrets of the control plane itself. Default: False.
            page_size: Items per request. Default: the client's.
            timeout: Maximum seconds for each page, retries included, or a timedelta. Default: the client's.
            project: Project id; "" for none. Default: the client's, if it has one.
            domain: Domain id; "" for none. Default: the client's, if it has one.
            client: The client for the calls. Default: the current one.

        Returns:
            A pager for `for` or `async for`. It fetches nothing before the loop starts.

        Raises:
            ValueError: An argument is invalid, or two arguments conflict; nothing was sent.
            RpcError: The call failed; the subclass says how.

        Calls `SecretService.ListSecrets`.
        """
        caller = resolve_client(client)
        resource, where = _resource(caller, project, domain, cluster_pool)
        there: list[Client] = []
        cluster_tokens: dict[str, dict[str, str]] = {}  # by page token

        async def fetch(token: str, size: int) -> Page[Self]:
            if not there:
                there.append(await route(caller, Operation.USE_SECRETS, resource))
            request = ListSecretsRequest(
                organization=there[0].org,
                project=where.project,
                domain=where.domain,
                limit=size,
                token=token,
                per_cluster_tokens=cluster_tokens.get(token, {}),
                include_system_secrets=include_system_secrets,
            )
            reply = await SecretServiceClient(there[0]).list_secrets.aio(request)
            cluster_tokens[reply.token] = reply.per_cluster_tokens
            return Page([cls(item, client) for item in reply.secrets], reply.token)

        size = caller.page_size if page_size is None else page_size
        return Pager(fetch, limit=limit, page_size=size, timeout=timeout, key=entity_key)

    @blocking
    @classmethod
    @within_timeout
    async def delete(
        cls,
        name: str,
        cluster_pool: str | None = None,
        *,
        timeout: float | timedelta | None = None,
        project: str | None = None,
        domain: str | None = None,
        client: Client | None = None,
    ) -> bool:
        """Delete a secret.

        Args:
            name: The secret.
            cluster_pool: The cluster pool of the secret. Default: none.
            timeout: Maximum seconds for all calls together, retries included, or a timedelta. Default: the client's
                for each.
            project: Project id; "" for none. Default: the client's, if it has one.
            domain: Domain id; "" for none. Default: the client's, if it has one.
            client: The client for the calls. Default: the current one.

        Returns:
            True if the secret was deleted, False if it does not exist.

        Raises:
            ValueError: An argument is invalid, or two arguments conflict; nothing was sent.
            RpcError: The call failed; the subclass says how.

        Calls `SecretService.DeleteSecret`.
        """
        place = await _place(name, client, project, domain, cluster_pool)
        return await cls._delete.aio(name, project=place.project, domain=place.domain, client=place.client)


def _spec(value: str | bytes, type: str) -> SecretSpec:
    if type not in (*_TYPES,):  # compare with a tuple, because the value may be unhashable
        raise ValueError(f"type must be 'regular' or 'image_pull', not {type!r}")
    if not isinstance(value, (str, bytes)):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"value takes text or bytes, not {value.__class__.__name__}")  # and does not show it
    if not value:
        raise ValueError("value must not be empty")
    if isinstance(value, bytes):
        return SecretSpec(binary_value=value, type=_TYPES[type])
    return SecretSpec(string_value=value, type=_TYPES[type])


async def _place(
    name: str,
    client: Client | None,
    project: str | None,
    domain: str | None,
    cluster_pool: str | None,
    type: str = "regular",
) -> _Place:
    text("name", name, 1)
    caller = resolve_client(client)
    resource, place = _resource(caller, project, domain, cluster_pool, type)
    return place._replace(client=await route(caller, Operation.USE_SECRETS, resource))


def _resource(
    caller: Client, project: str | None, domain: str | None, cluster_pool: str | None, type: str = "regular"
) -> tuple[Message, _Place]:
    """Return the scope of a secret as the resource for routing, and as arguments."""
    if cluster_pool is not None:
        text("cluster_pool", cluster_pool, 1)
    why = f"a secret of type {type}" if type in _ORGANIZATION else "a secret of a cluster_pool" if cluster_pool else ""
    if why:
        for name, value in (("project", project), ("domain", domain)):
            if value:
                raise ValueError(f"{why} belongs to the organization; omit {name}={value!r}")
        project = domain = ""
    scope = caller.scope(project, domain, demand=())
    if scope.project and not scope.domain:
        raise ValueError(f"a secret of project {scope.project} belongs to one of its domains; pass domain=... too")
    place = _Place(scope.project, scope.domain, caller)
    if cluster_pool:
        return ClusterPoolIdentifier(organization=scope.org, name=cluster_pool), place
    if scope.project:
        return ProjectIdentifier(organization=scope.org, name=scope.project, domain=scope.domain), place
    if scope.domain:
        return DomainIdentifier(organization=scope.org, name=scope.domain), place
    return OrgIdentifier(name=scope.org), place
