"""A client: the endpoint, the identity, the scope and the settings of calls."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, NoReturn, Self

import attrs

from flyte_rpc.arguments import seconds, text, whole
from flyte_rpc.errors import InitializationError, RpcError
from flyte_rpc.transports.endpoint import Endpoint, is_loopback, parse_endpoint
from flyte_rpc.transports.transport import Transport, TransportFactory, TransportName, check_transport
from flyte_rpc.version import USER_AGENT

from .credentials import Credentials, Headers, Token, credentials_of
from .metadata import added, checked
from .pool import ConnectionPool, deferred
from .retry import CALLS, Backoff, check_backoff
from .scope import Scope, checked_parts, parts_of_call

if TYPE_CHECKING:
    import ssl

    from flyte_rpc.transports.network.settings import Network

_log = logging.getLogger("flyte_rpc")


class CallRecord(NamedTuple):
    """One finished attempt of a call, for logs and traces."""

    method: str
    """`package.Service/Method`."""
    endpoint: str
    request_id: str
    attempt: int
    """1 for the first."""
    seconds: float
    error: RpcError | None
    """None if the attempt succeeded."""


Observer = Callable[[CallRecord], None]


@attrs.frozen
class ClientSettings:
    """The settings of a client."""

    endpoint: Endpoint
    org: str
    project: str
    domain: str
    token: Token | None = attrs.field(repr=False)
    credentials: Credentials | None = attrs.field(repr=False)
    timeout: float
    page_size: int
    metadata: tuple[tuple[str, str], ...] = attrs.field(repr=False)
    retry: Backoff
    on_call: tuple[Observer, ...]
    transport: TransportName | TransportFactory = "auto"
    network: Network | None = None
    scope: Mapping[str, str] = attrs.field(factory=dict[str, str])
    """Other parts of the scope, for SDKs whose requests have parts beside project and domain."""


class Client:
    """A connection to a control plane, with credentials and a default project and domain.

    A client connects at its first call. Threads and event loops can share it. It is immutable; `with_options` returns
    a changed copy. After `os.fork`, the child process opens its own connections.
    """

    user_agent: ClassVar[str] = USER_AGENT
    """The `user-agent` header. An SDK overrides this in a subclass."""
    constructors: ClassVar[str] = "Client()"
    """How error messages suggest setting a project. An SDK overrides this in a subclass."""

    def __init__(
        self,
        endpoint: str,
        *,
        org: str = "",
        project: str | None = None,
        domain: str | None = None,
        scope: Mapping[str, str] | None = None,
        token: Token | None = None,
        credentials: Credentials | None = None,
        insecure: bool | None = None,
        timeout: float = 60.0,
        page_size: int = 100,
        metadata: Iterable[tuple[str, str]] = (),
        retry: Backoff = CALLS,
        on_call: Observer | Iterable[Observer] = (),
        transport: TransportName | TransportFactory = "auto",
        network: Network | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        """Create a client. It connects at the first call.

        Args:
            endpoint: `http://host[:port]` for cleartext, `https://host[:port]` for TLS, `dns:///host[:port]` or `host[:port]`.
            org: Organization. Default: none, for servers without organizations.
            project: Project of calls that name none.
            domain: Domain of calls that name none.
            scope: Other parts of the scope of calls, by name, for SDKs that have them (`[roles]` in `codegen.toml`).
            token: Bearer token, or a function or coroutine function that returns one and is called before each attempt.
                Default: anonymous.
            credentials: An object that supplies the headers of each attempt and renews them when the server rejects
                them, in place of a token.
            insecure: True for cleartext, False for TLS, for endpoints without a scheme. Default: TLS, except to this
                machine.
            timeout: Maximum seconds per call, retries included. Default: 60.
            page_size: Items per request of a listing. Default: 100.
            metadata: Additional request headers: pairs of a lower-case name and a printable ASCII value.
            retry: Attempts and delays of calls that are safe to retry.
            on_call: A function, or several, that receives a record of every attempt, on the event loop. It must be
                quick. What it raises is logged.
            transport: `"grpc"`, `"connect"`, `"grpclib"`, or `"auto"`: gRPC where it works, and Connect where a server or
                proxy does not pass gRPC. Or a function that makes the transport for an endpoint on the running event
                loop. Default: `"auto"`.
            network: Trusted and presented certificates, and proxies. Default: the system's trust store, and the proxies of
                the environment.
            ssl_context: TLS settings for calls that replace those of `network`.

        Raises:
            TypeError: An argument has the wrong type.
            ValueError: An argument is unusable.
        """
        self._settings = ClientSettings(
            endpoint=parse_endpoint(endpoint, insecure=insecure),
            org=text("org", org or ""),
            project=text("project", project or ""),
            domain=text("domain", domain or ""),
            scope=checked_parts(scope or {}),
            token=token,
            credentials=credentials_of(token, credentials),
            timeout=seconds("timeout", timeout),
            page_size=whole("page_size", page_size, 1),
            metadata=checked(metadata),
            retry=check_backoff(retry),
            on_call=_observers(on_call),
            transport=check_transport(transport),
            network=network,
        )
        self._warn_of_cleartext()
        self._pool = ConnectionPool(deferred(transport, self.user_agent, ssl_context, network))
        self._owns_pool = True
        self._closed = False

    def with_options(
        self,
        *,
        org: str | None = None,
        project: str | None = None,
        domain: str | None = None,
        scope: Mapping[str, str] | None = None,
        token: Token | None = None,
        timeout: float | None = None,
        page_size: int | None = None,
        metadata: Iterable[tuple[str, str]] | None = None,
        retry: Backoff | None = None,
        on_call: Observer | Iterable[Observer] | None = None,
    ) -> Self:
        """Return a client with other settings that shares the connections of this one.

        Closing the derived client does not affect this one. Closing this client closes the connections of both.

        Args:
            org: Organization. `""` means none. Omitted arguments keep the settings of this client.
            project: Project of calls that name none. `""` means none.
            domain: Domain of calls that name none. `""` means none.
            scope: Other parts of the scope, by name. They are added to this client's.
            token: Bearer token, or a function that returns one. It replaces the credentials of this client.
            timeout: Maximum seconds per call, retries included.
            page_size: Items per request of a listing.
            metadata: Additional request headers. They replace this client's.
            retry: Attempts and delays of calls that are safe to retry.
            on_call: One or more functions that receive a record of every attempt. They replace this client's.

        Raises:
            TypeError: An argument has the wrong type.
            ValueError: An argument is unusable.
        """
        changes: dict[str, Any] = {"org": org, "project": project, "domain": domain}
        changes = {name: text(name, value) for name, value in changes.items() if value is not None}
        if scope is not None:
            changes["scope"] = {**self._settings.scope, **checked_parts(scope)}
        if timeout is not None:
            changes["timeout"] = seconds("timeout", timeout)
        if page_size is not None:
            changes["page_size"] = whole("page_size", page_size, 1)
        if metadata is not None:
            changes["metadata"] = checked(metadata)
        if on_call is not None:
            changes["on_call"] = _observers(on_call)
        if retry is not None:
            changes["retry"] = check_backoff(retry)
        if token is not None:
            changes["token"] = token
            changes["credentials"] = credentials_of(token, None)
        derived = self._derive(changes)
        if token is not None:
            derived._warn_of_cleartext()
        return derived

    def at(self, endpoint: Endpoint) -> Self:
        """Return a client for another endpoint with the same credentials, scope and settings.

        Args:
            endpoint: The other endpoint. The caller must make sure that it may receive the credentials.
        """
        return self._derive({"endpoint": endpoint})

    def _derive(self, changes: Mapping[str, Any]) -> Self:
        derived = object.__new__(type(self))
        derived._settings = attrs.evolve(self._settings, **changes)
        derived._pool = self._pool
        derived._owns_pool = False
        derived._closed = self._closed
        return derived

    def _warn_of_cleartext(self) -> None:
        endpoint = self._settings.endpoint
        if self._settings.credentials is not None and not endpoint.tls and not is_loopback(endpoint.host):
            _log.warning("The token for %s is sent in cleartext; use an https:// endpoint", endpoint)

    @property
    def settings(self) -> ClientSettings:
        """All settings."""
        return self._settings

    @property
    def endpoint(self) -> str:
        """The endpoint as a URL."""
        return str(self._settings.endpoint)

    @property
    def org(self) -> str:
        """The organization; empty for none."""
        return self._settings.org

    @property
    def project(self) -> str:
        """The default project; empty if none is set."""
        return self._settings.project

    @property
    def domain(self) -> str:
        """The default domain; empty if none is set."""
        return self._settings.domain

    @property
    def timeout(self) -> float:
        """Default maximum seconds per call."""
        return self._settings.timeout

    @property
    def page_size(self) -> int:
        """Default number of items per request of a listing."""
        return self._settings.page_size

    @property
    def retry(self) -> Backoff:
        """Attempts and delays of calls that are safe to retry."""
        return self._settings.retry

    @property
    def closed(self) -> bool:
        """Whether the client is closed. Calls then raise an `InitializationError`."""
        return self._closed or self._pool.closed

    def scope(
        self,
        project: str | None = None,
        domain: str | None = None,
        *,
        demand: Collection[str] = ("project", "domain"),
    ) -> Scope:
        """Return the organization, project and domain of a call.

        Args:
            project: Overrides the client's project.
            domain: Overrides the client's domain.
            demand: Which of `project` and `domain` are required. The others may be `""`, for none.

        Raises:
            InitializationError: A required one is missing.
            ValueError: A required one is empty.
        """
        found = self._scope({"project": project, "domain": domain}, demand)
        return Scope(self._settings.org, found["project"], found["domain"])

    def scope_of(self, given: Mapping[str, str | None], *, demand: Collection[str]) -> SimpleNamespace:
        """Return the scope of a call of an SDK whose requests have parts beside project and domain.

        Args:
            given: Parts that override the client's; None for the client's.
            demand: Which of them are required. The others may be `""`, for none.

        Returns:
            The parts as attributes.

        Raises:
            InitializationError: A required one is missing.
            ValueError: A required one is empty.
        """
        return SimpleNamespace(**self._scope(given, demand))

    def _scope(self, given: Mapping[str, str | None], demand: Collection[str]) -> dict[str, str]:
        settings = self._settings
        own = {"project": settings.project, "domain": settings.domain, **settings.scope}
        return parts_of_call(own, given, demand, self.constructors)

    def headers(self, request_id: str, authentication: Headers) -> list[tuple[str, str]]:
        """Return the request headers of one attempt.

        Args:
            request_id: The id of the call.
            authentication: The headers of the client's credentials. An `auth_metadata` block overrides them.
        """
        headers = [("x-request-id", request_id), *self._settings.metadata]
        if of_blocks := added():
            names = {name for name, _ in of_blocks}
            return [*(pair for pair in (*headers, *authentication) if pair[0] not in names), *of_blocks]
        return [*headers, *authentication]

    def transport(self) -> Transport:
        """The transport for the running event loop.

        Raises:
            InitializationError: The client is closed.
        """
        if self._closed:
            raise InitializationError(f"The client for {self.endpoint} is closed. Create a new one.")
        return self._pool.transport(self._settings.endpoint)

    def observe(self, record: CallRecord) -> None:
        """Call the `on_call` functions with the record of an attempt."""
        for observer in self._settings.on_call:
            try:
                observer(record)
            except Exception:  # any exception, because it must not fail a call that has succeeded
                _log.exception("on_call raised for %s", record.method)

    def close(self) -> None:
        """Close the connections. Running calls fail, and later calls raise an `InitializationError`."""
        self._closed = True
        if self._owns_pool:
            self._pool.close()

    async def aclose(self) -> None:
        """Like `close`, and wait until the connections of this event loop are closed."""
        self._closed = True
        if self._owns_pool:
            await self._pool.aclose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Client holds connections and a token and cannot be copied or pickled; create a new one")

    def __repr__(self) -> str:
        scope = {"org": self.org, "project": self.project, "domain": self.domain}
        shown = "".join(f", {name}={value!r}" for name, value in scope.items() if value)
        return f"Client({self.endpoint!r}{shown})"


def _observers(on_call: Observer | Iterable[Observer]) -> tuple[Observer, ...]:
    if callable(on_call):
        return (on_call,)
    if not isinstance(on_call, Iterable) or not all(map(callable, found := tuple(on_call))):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"on_call takes a function or several, not {type(on_call).__name__}")
    return found
