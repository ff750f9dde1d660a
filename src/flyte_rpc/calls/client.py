"""A connection to one control plane, with an identity and a scope; and which one a call uses when it is not told."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Collection, Generator, Iterable
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import NamedTuple, NoReturn

from flyte_rpc.arguments import seconds, text, whole
from flyte_rpc.errors import InitializationError, RpcError
from flyte_rpc.transports.endpoint import Endpoint, is_loopback, parse_endpoint
from flyte_rpc.transports.transport import Transport, open_transport

from .metadata import added, check_token, checked
from .retry import CALLS, Backoff

_log = logging.getLogger("flyte")

Token = str | Callable[[], str]


class Scope(NamedTuple):
    """Where names are looked up."""

    org: str
    project: str
    domain: str


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
    """None when it succeeded."""


class Client:
    """A control plane, who calls it, and the project and domain that calls refer to.

    A client connects at its first call and may be shared among threads and event loops. It cannot be changed: make another
    one for another identity or scope. It survives `os.fork`: the child opens its own connections.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        org: str = "",
        project: str | None = None,
        domain: str | None = None,
        token: Token | None = None,
        insecure: bool | None = None,
        timeout: float = 60.0,
        page_size: int = 100,
        metadata: Iterable[tuple[str, str]] = (),
        retry: Backoff = CALLS,
        on_call: Callable[[CallRecord], None] | Iterable[Callable[[CallRecord], None]] = (),
    ) -> None:
        """Describe the connection; nothing is sent yet.

        Args:
            endpoint: `http://host[:port]` for cleartext, `https://host[:port]` for TLS, `dns:///host[:port]` or `host[:port]`.
            org: Organization. Default: none, as on servers without organizations.
            project: Project of calls that name none.
            domain: Domain of calls that name none.
            token: Bearer token, or a function that returns one and is called before each attempt. Default: anonymous.
            insecure: True for cleartext, False for TLS, when the endpoint does not say. Default: TLS except to this machine.
            timeout: Seconds that a call may take, retries included. Default: 60.
            page_size: Items that a listing asks for at a time. Default: 100.
            metadata: More request headers: pairs of a lower-case name and a printable ASCII value.
            retry: How calls that may be repeated are repeated.
            on_call: A function, or several, told of every attempt, on the event loop; it must be quick and not raise.

        Raises:
            TypeError: An argument is of another type.
            ValueError: An argument cannot be used.
        """
        self._where = parse_endpoint(endpoint, insecure=insecure)
        self._org = text("org", org or "")
        self._project = text("project", project or "")
        self._domain = text("domain", domain or "")
        self._token = token
        self._timeout = seconds("timeout", timeout)
        self._page_size = whole("page_size", page_size, 1)
        self._metadata = checked(metadata)
        self._retry = retry
        self._on_call = (on_call,) if callable(on_call) else tuple(on_call)
        if token is not None and not callable(token):
            check_token(token)
        if token and not self._where.tls and not is_loopback(self._where.host):
            _log.warning("The token for %s travels in clear text; prefer an https:// endpoint", self._where)
        self._begin()

    def _begin(self) -> None:
        """Hold no connections yet."""
        self._closed = False
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._transports: dict[asyncio.AbstractEventLoop, Transport] = {}
        self._elsewhere: dict[Endpoint, Client] = {}

    @property
    def endpoint(self) -> str:
        """Where the control plane is, as a URL."""
        return str(self._where)

    @property
    def org(self) -> str:
        """The organization; empty for none."""
        return self._org

    @property
    def project(self) -> str:
        """The project of calls that name none; empty when none is set."""
        return self._project

    @property
    def domain(self) -> str:
        """The domain of calls that name none; empty when none is set."""
        return self._domain

    @property
    def timeout(self) -> float:
        """Seconds that a call may take by default."""
        return self._timeout

    @property
    def page_size(self) -> int:
        """Items that a listing asks for at a time by default."""
        return self._page_size

    @property
    def retry(self) -> Backoff:
        """How calls that may be repeated are repeated."""
        return self._retry

    @property
    def closed(self) -> bool:
        """Whether it was closed, so that it can make no more calls."""
        return self._closed

    def scope(
        self,
        project: str | None = None,
        domain: str | None = None,
        *,
        demand: Collection[str] = ("project", "domain"),
    ) -> Scope:
        """Where a call looks names up.

        Args:
            project: Wins over the client's project.
            domain: Wins over the client's domain.
            demand: Which of `project` and `domain` there have to be. The other may be given as "", for none.

        Raises:
            InitializationError: There is no project or no domain, but is to be.
            ValueError: One that there has to be is empty.
        """
        for name, value in (("project", project), ("domain", domain)):
            if value == "" and name in demand:
                raise ValueError(f"{name} must not be empty; leave it out for the client's own")
        found = Scope(
            self._org,
            (self._project or "") if project is None else project,
            (self._domain or "") if domain is None else domain,
        )
        missing = [name for name in demand if not getattr(found, name)]
        if missing:
            given = ", ".join(f"{name}=..." for name in missing)
            raise InitializationError(
                f"No {' and no '.join(missing)} is set. Pass {given} to this call, or once to flyte.init() or Client()."
            )
        return found

    def headers(self, request_id: str) -> list[tuple[str, str]]:
        """Request headers of one attempt."""
        made = [("x-request-id", request_id), *self._metadata]
        if more := added():
            names = {name for name, _ in more}
            made = [*(pair for pair in made if pair[0] not in names), *more]
            if "authorization" in names:
                return made
        if token := self.token():
            made.append(("authorization", f"Bearer {token}"))
        return made

    def token(self) -> str | None:
        """The bearer token of the next attempt; None for an anonymous call."""
        if self._token is None or isinstance(self._token, str):
            return self._token
        token = self._token()
        check_token(token)
        return token

    def transport(self) -> Transport:
        """The connection of the running event loop."""
        self._settle()
        loop = asyncio.get_running_loop()
        found = self._transports.get(loop)
        if found is None:
            with self._lock:
                self._check_open()
                found = open_transport(self._where)
                alive = {loop: way for loop, way in self._transports.items() if not loop.is_closed()}
                self._transports = {**alive, loop: found}
        return found

    def at(self, endpoint: Endpoint) -> Client:
        """This client for another endpoint: the same identity, scope and settings. It is made once, and closed with this one.

        Args:
            endpoint: Where to connect to instead. Whoever asks has made sure that the credentials may go there.

        Raises:
            InitializationError: This client was closed.
        """
        self._settle()
        with self._lock:
            self._check_open()
            found = self._elsewhere.get(endpoint)
            if found is None:
                found = object.__new__(type(self))
                found.__dict__.update(self.__dict__)
                found._where = endpoint
                found._begin()
                self._elsewhere[endpoint] = found
        return found

    def _settle(self) -> None:
        if self._pid != os.getpid():
            # Sockets that were inherited belong to the parent; the lock may have been held by one of its threads.
            self._lock, self._transports, self._pid = threading.Lock(), {}, os.getpid()

    def _check_open(self) -> None:
        if self._closed:
            raise InitializationError(f"The client for {self.endpoint} was closed; make a new one")

    def observe(self, record: CallRecord) -> None:
        """Tell everybody who asked about an attempt."""
        for observer in self._on_call:
            observer(record)

    def settings(self) -> dict[str, object]:
        """What tells this client from another one, by parameter name."""
        return {
            "endpoint": self.endpoint,
            "org": self._org,
            "project": self._project,
            "domain": self._domain,
            "token": self._token,
            "timeout": self._timeout,
            "page_size": self._page_size,
        }

    def close(self) -> None:
        """Drop the connections; calls that run fail, and later ones raise `InitializationError`."""
        here = _running_loop()
        for loop, transport in self._retire().items():
            if loop is here:
                transport.close()
            else:
                _close_elsewhere(loop, transport)
        for other in self._elsewhere.values():
            other.close()

    async def aclose(self) -> None:
        """Like `close`, and wait until the connection of this event loop is gone."""
        here = asyncio.get_running_loop()
        for loop, transport in self._retire().items():
            if loop is here:
                await transport.aclose()
            else:
                _close_elsewhere(loop, transport)
        for other in self._elsewhere.values():
            await other.aclose()

    def _retire(self) -> dict[asyncio.AbstractEventLoop, Transport]:
        if self._pid != os.getpid():
            self._closed, self._transports = True, {}
            return {}
        with self._lock:
            self._closed = True
            retired, self._transports = self._transports, {}
        return retired

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Client holds connections and a token, so it cannot be pickled; make one where it is needed")

    def __repr__(self) -> str:
        scope = {"org": self._org, "project": self._project, "domain": self._domain}
        shown = "".join(f", {name}={value!r}" for name, value in scope.items() if value)
        return f"Client({self.endpoint!r}{shown})"


_default: Client | None = None
_override: ContextVar[Client | None] = ContextVar("flyte_client", default=None)


def set_default_client(client: Client | None) -> None:
    """Make a client the one of all calls that are given none. None takes the default away."""
    global _default
    _default = client


def default_client() -> Client | None:
    """What `set_default_client` set."""
    return _default


def current_client() -> Client:
    """The client of calls that are given none.

    Raises:
        InitializationError: There is none.
    """
    client = _override.get() or _default or _inside_a_task()
    if client is None:
        raise InitializationError(
            "No control plane is set. Call flyte.init(endpoint='http://host:port', project=..., domain=...), "
            "pass client= to this call, or start a local control plane with flyte.devbox.start()."
        )
    return client


def _inside_a_task() -> Client | None:
    """The client of a process that executes a task, which is told by its environment where it belongs."""
    endpoint = os.environ.get("FLYTE_ENDPOINT")
    if not endpoint or not os.environ.get("FLYTE_ACTION_NAME"):
        return None
    from flyte._init import init

    init()
    return _default


def resolve_client(client: Client | None) -> Client:
    """The given client, else the current one.

    Raises:
        InitializationError: There is neither.
    """
    return current_client() if client is None else _a_client(client)


def _a_client(value: object) -> Client:
    if not isinstance(value, Client):
        raise TypeError(f"client takes a flyte.Client, not {type(value).__name__} ({value!r})")
    return value


@contextmanager
def use_client(client: Client) -> Generator[Client, None, None]:
    """Make a client the current one inside a `with` block: for this thread or task, and what it starts."""
    reset = _override.set(_a_client(client))
    try:
        yield client
    finally:
        _override.reset(reset)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _close_elsewhere(loop: asyncio.AbstractEventLoop, transport: Transport) -> None:
    with suppress(RuntimeError):  # that loop is closed, and its sockets with it
        loop.call_soon_threadsafe(transport.close)
