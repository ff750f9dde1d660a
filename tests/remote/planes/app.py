"""AppService and AppLogsService: apps that a test moves from state to state, and what they write."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import contextmanager
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

from flyte_api.messages.flyteidl2.app.app_definition import App, Condition, Identifier, Ingress, Meta, Spec
from flyte_api.messages.flyteidl2.app.app_definition import SpecDesiredState as Desired
from flyte_api.messages.flyteidl2.app.app_definition import Status as AppStatus
from flyte_api.messages.flyteidl2.app.app_definition import StatusDeploymentStatus as State
from flyte_api.messages.flyteidl2.app.app_logs_payload import (
    LogLines,
    LogLinesBatch,
    ReplicaIdentifierList,
    TailLogsRequest,
    TailLogsResponse,
)
from flyte_api.messages.flyteidl2.app.app_payload import (
    CreateEvent,
    CreateRequest,
    CreateResponse,
    DeleteEvent,
    DeleteRequest,
    DeleteResponse,
    GetRequest,
    GetResponse,
    ListRequest,
    ListResponse,
    UpdateEvent,
    UpdateRequest,
    UpdateResponse,
    WatchRequest,
    WatchResponse,
)
from flyte_api.messages.flyteidl2.app.replica_definition import ReplicaIdentifier
from flyte_api.messages.flyteidl2.common.identifier import UserIdentifier
from flyte_api.messages.flyteidl2.common.identity import EnrichedIdentity, User
from flyte_api.messages.flyteidl2.common.list import FilterFunction
from flyte_api.messages.flyteidl2.core.tasks import Container
from flyte_api.messages.flyteidl2.logs.dataplane.payload import ContainerIdentifier, LogLine, LogLineOriginator
from flyte_api.messages.flyteidl2.logs.dataplane.payload import LogLines as ContainerLines
from flyte_api.messages.google.protobuf.timestamp import Timestamp
from flyte_api.services.flyteidl2.app.app_logs_service import AppLogsServiceBase
from flyte_api.services.flyteidl2.app.app_service import AppServiceBase
from flyte_rpc.serving.server import ServerCall, Status, abort

DAWN = datetime(2030, 1, 1, tzinfo=UTC)


def message(name: str = "dash", image: str = "i:1", *, desired: int = Desired.ACTIVE, **labels: str) -> App:
    """An app that can be created."""
    return App(metadata=Meta(id=Identifier(name=name), labels=labels), spec=spec(image, desired=desired))


def spec(image: str = "i:1", *, desired: int = Desired.ACTIVE, creator: str = "") -> Spec:
    """What an app is to be."""
    who = EnrichedIdentity(user=User(id=UserIdentifier(subject=creator))) if creator else None
    return Spec(container=Container(image=image), desired_state=Desired(desired), creator=who)


class Apps(AppServiceBase):
    """Stores apps, and reaches the desired state at once. If the cluster is `slow`, tests change the state with `becomes`."""

    def __init__(self) -> None:
        self.apps: dict[str, App] = {}
        self.slow = False
        self.silent = False
        """Whether watches send no events, as if they were lost."""
        self.unavailable = 0
        """How many more reads of an app fail, as if the server restarted."""
        self.aborts = False
        """Whether creating is aborted."""
        self.requests: list[Any] = []
        self.subscriptions: asyncio.Queue[WatchRequest] = asyncio.Queue()
        self._watchers: dict[asyncio.Queue[WatchResponse], str] = {}
        self.moments = 0

    def sent(self, kind: type[Any]) -> list[Any]:
        """The requests of a kind."""
        return [request for request in self.requests if isinstance(request, kind)]

    def becomes(self, name: str, state: int, message: str = "") -> None:
        """Change the state of an app."""
        self.moments += 1
        app = deepcopy(self.apps[name])
        status = app.status or AppStatus()
        status.conditions = [
            *status.conditions,
            Condition(
                deployment_status=State(state),
                message=message,
                revision=_meta(app).revision,
                last_transition_time=Timestamp.of(DAWN + timedelta(seconds=self.moments)),
            ),
        ]
        app.status = status
        self._keep(app)

    def wants(self, name: str, desired: Desired) -> None:
        """Change the desired state of an app, as another user."""
        app = deepcopy(self.apps[name])
        assert app.spec is not None
        app.spec.desired_state = desired
        self._keep(app)

    def vanishes(self, name: str) -> None:
        """Delete an app, as another user."""
        self._tell(name, WatchResponse(delete_event=DeleteEvent(app=self.apps.pop(name))))

    def _keep(self, app: App) -> None:
        name = _id(app).name
        old = self.apps.get(name)
        self.apps[name] = app
        if old is None:
            self._tell(name, WatchResponse(create_event=CreateEvent(app=app)))
        else:
            self._tell(name, WatchResponse(update_event=UpdateEvent(updated_app=app, old_app=old)))

    def _tell(self, name: str, event: WatchResponse) -> None:
        for queue, watched in self._watchers.items():
            if watched == name and not self.silent:
                queue.put_nowait(event)

    def _serve(self, name: str) -> None:
        """What a cluster does when it learns what is wanted."""
        spec = self.apps[name].spec
        if self.slow or spec is None:
            return
        if spec.desired_state == Desired.STOPPED:
            self.becomes(name, State.STOPPED)
        else:
            for state in (State.PENDING, State.DEPLOYING, State.ACTIVE):
                self.becomes(name, state)

    def _find(self, id: Identifier | None) -> App:
        if id is None:
            abort(Status.INVALID_ARGUMENT, "app_id is required")
        app = self.apps.get(id.name)
        if app is None or (_id(app).project, _id(app).domain) != (id.project, id.domain):
            abort(Status.NOT_FOUND, f"app {id.name} not found")
        return app

    async def create(self, request: CreateRequest, call: ServerCall) -> CreateResponse:
        self.requests.append(request)
        if request.app is None or request.app.spec is None:
            abort(Status.INVALID_ARGUMENT, "app and spec are required")
        if self.aborts:
            abort(Status.ABORTED, "somebody else was faster")
        name = _id(request.app).name
        if name in self.apps:
            abort(Status.ALREADY_EXISTS, f"app {name} exists")
        app = deepcopy(request.app)
        _meta(app).revision = 1
        app.status = AppStatus(ingress=Ingress(public_url=f"https://{name}.apps.example.com"))
        self._keep(app)
        self._serve(name)
        return CreateResponse(app=self.apps[name])

    async def get(self, request: GetRequest, call: ServerCall) -> GetResponse:
        self.requests.append(request)
        if self.unavailable:
            self.unavailable -= 1
            abort(Status.UNAVAILABLE, "restarting")
        return GetResponse(app=self._find(request.app_id))

    async def update(self, request: UpdateRequest, call: ServerCall) -> UpdateResponse:
        self.requests.append(request)
        if request.app is None or request.app.spec is None:
            abort(Status.INVALID_ARGUMENT, "app and spec are required")
        before = self._find(_id(request.app))
        app = deepcopy(request.app)
        _meta(app).revision = _meta(before).revision + 1
        app.status = deepcopy(before.status)
        self._keep(app)
        reply = UpdateResponse(app=app)
        self._serve(_id(app).name)
        return reply

    async def delete(self, request: DeleteRequest, call: ServerCall) -> DeleteResponse:
        self.requests.append(request)
        self.vanishes(_id(self._find(request.app_id)).name)
        return DeleteResponse()

    async def list_(self, request: ListRequest, call: ServerCall) -> ListResponse:
        self.requests.append(request)
        asked, project = request.request, request.project
        if asked is None or project is None:
            abort(Status.INVALID_ARGUMENT, "request and project are required")
        found = [
            app
            for _, app in sorted(self.apps.items())
            if (_id(app).project, _id(app).domain) == (project.name, project.domain)
            and all(_matches(app, f.field, f.function, f.values) for f in asked.filters)
        ]
        start = int(asked.token or 0)
        stop = start + (asked.limit or len(found))
        return ListResponse(apps=found[start:stop], token=str(stop) if stop < len(found) else "")

    async def watch(self, request: WatchRequest, call: ServerCall) -> AsyncIterator[WatchResponse]:
        self.requests.append(request)
        if request.app_id is None:
            abort(Status.UNIMPLEMENTED, "only single apps are watched")
        name = request.app_id.name
        queue: asyncio.Queue[WatchResponse] = asyncio.Queue()
        self._watchers[queue] = name
        try:
            if name in self.apps and not self.silent:
                yield WatchResponse(create_event=CreateEvent(app=self.apps[name]))
            self.subscriptions.put_nowait(request)
            while True:
                yield await queue.get()
        finally:
            del self._watchers[queue]


def _meta(app: App) -> Meta:
    assert app.metadata is not None
    return app.metadata


def _id(app: App) -> Identifier:
    id = _meta(app).id
    assert id is not None
    return id


def _matches(app: App, field: str, function: FilterFunction, values: list[str]) -> bool:
    if field == "status_phase":
        conditions = [] if app.status is None else app.status.conditions
        state = conditions[-1].deployment_status if conditions else State.UNSPECIFIED
        held = state.proto_name
    elif field == "created_by":
        creator = None if app.spec is None else app.spec.creator
        user = None if creator is None else creator.user
        held = "" if user is None or user.id is None else user.id.subject
    else:
        abort(Status.INVALID_ARGUMENT, f"apps have no {field}")
    assert function == (FilterFunction.EQUAL if len(values) == 1 else FilterFunction.VALUE_IN)
    return held in values


Form = Callable[[str, list[LogLine]], TailLogsResponse]


def batches(replica: str, lines: list[LogLine]) -> TailLogsResponse:
    """Lines as servers send them today."""
    return TailLogsResponse(
        batches=LogLinesBatch(
            logs=[LogLines(replica_id=ReplicaIdentifier(name=replica), structured_lines=lines)] if lines else []
        )
    )


def plain_batches(replica: str, lines: list[LogLine]) -> TailLogsResponse:
    """Lines as older servers send them: texts."""
    made = LogLines(replica_id=ReplicaIdentifier(name=replica))
    vars(made)["lines"] = [line.message for line in lines]
    return TailLogsResponse(batches=LogLinesBatch(logs=[made]))


def containers(replica: str, lines: list[LogLine]) -> TailLogsResponse:
    """Lines as servers sent them before there were batches."""
    made = ContainerLines(container=ContainerIdentifier(kubernetes_pod_name=replica), structured_lines=lines)
    return _old(made)


def plain_containers(replica: str, lines: list[LogLine]) -> TailLogsResponse:
    """The same, as texts."""
    made = ContainerLines(container=ContainerIdentifier(kubernetes_pod_name=replica))
    vars(made)["lines"] = [line.message for line in lines]
    return _old(made)


def _old(lines: ContainerLines) -> TailLogsResponse:
    made = TailLogsResponse()
    vars(made)["log_lines"] = lines
    return made


class AppLogs(AppLogsServiceBase):
    """What replicas have written. A stream gives all of it, and goes on with what comes while `open` is set."""

    def __init__(self) -> None:
        self.written: list[tuple[str, LogLine]] = []
        self.form: Form = batches
        self.open = True
        self.missing = 0
        """How many more times to report that there are no replicas; below 0 for always."""
        self.unavailable = 0
        """How many more times to fail."""
        self.failure = Status.UNAVAILABLE
        self.requests: list[TailLogsRequest] = []
        self.subscriptions: asyncio.Queue[TailLogsRequest] = asyncio.Queue()
        self._changed: set[asyncio.Event] = set()

    def write(self, replica: str, *messages: str, at: int | None = None, system: bool = False) -> None:
        """Have a replica write lines, at a second of their own or all `at` the same."""
        for message in messages:
            second = len(self.written) if at is None else at
            line = LogLine(
                message=message + "\n",
                timestamp=Timestamp.of(DAWN + timedelta(seconds=second)),
                originator=LogLineOriginator.SYSTEM if system else LogLineOriginator.USER,
            )
            self.written.append((replica, line))
        for event in self._changed:
            event.set()

    async def tail_logs(self, request: TailLogsRequest, call: ServerCall) -> AsyncIterator[TailLogsResponse]:
        self.requests.append(request)
        if self.unavailable:
            self.unavailable -= 1
            abort(self.failure, "restarting")
        if self.missing:
            self.missing -= 1
            abort(Status.NOT_FOUND, "no replicas")
        only = None if request.replica_id is None else request.replica_id.name
        names = dict.fromkeys(replica for replica, _ in self.written)
        yield TailLogsResponse(replicas=ReplicaIdentifierList(replicas=[ReplicaIdentifier(name=n) for n in names]))
        sent = 0
        with self._listening() as changed:
            while True:
                changed.clear()
                while sent < len(self.written):
                    replica, line = self.written[sent]
                    sent += 1
                    if only in (None, replica):
                        yield self.form(replica, [line])
                self.subscriptions.put_nowait(request)
                if not self.open:
                    return
                await changed.wait()

    @contextmanager
    def _listening(self) -> Any:
        event = asyncio.Event()
        self._changed.add(event)
        try:
            yield event
        finally:
            self._changed.discard(event)
