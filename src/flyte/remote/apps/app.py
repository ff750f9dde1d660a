"""Apps."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Self

from flyte._client import resolve_client
from flyte.errors import AbortedError, AlreadyExistsError, NotFoundError
from flyte.remote._common import console_url
from flyte_api.messages.flyteidl2.app.app_definition import App as AppMessage
from flyte_api.messages.flyteidl2.app.app_definition import Meta, Spec
from flyte_rpc.arguments import texts
from flyte_rpc.calls.client import Client
from flyte_rpc.entities.stream import Stream
from flyte_rpc.sync.decorators import blocking, fetching, streaming

from .lifecycle import HasLifecycle
from .messages import checked_reason, checked_spec, located, named, successor

if TYPE_CHECKING:
    from .logs import LogLine

_log = logging.getLogger("flyte.remote")

_SERVED = "User requested serve from sdk"


class App(HasLifecycle):
    """An app: a program that stays up and answers requests, such as a model or a dashboard."""

    @property
    def url(self) -> str:
        """Where the web console shows the app. Where it answers requests is `endpoint`."""
        return console_url(self.client, self.domain, self.project, "apps", self.name)

    def _shown(self) -> Iterator[tuple[str, object]]:
        yield from (("name", self.name), ("revision", self.revision), ("endpoint", self.endpoint))
        yield from (("deployment_status", str(self.deployment_status)), ("desired_state", str(self.desired_state)))
        yield from (("project", self.project), ("domain", self.domain), ("labels", self.labels))

    @fetching
    @classmethod
    async def create(
        cls,
        app: AppMessage,
        *,
        project: str | None = None,
        domain: str | None = None,
        client: Client | None = None,
    ) -> Self:
        """Create an app; where there is one of that name already, `replace` it. Labels that it has stay if `app` has none.

        Args:
            app: The app, with a name and something to run. What its identifier leaves out is filled in.
            project: Project id. Default: the app's own, else the client's.
            domain: Domain id. Default: the app's own, else the client's.
            client: The client to ask with. Default: the current one.

        Returns:
            The app as the server keeps it.

        Raises:
            TypeError: `app` is no message of an app; nothing was sent.
            ValueError: An argument is not usable; nothing was sent.
            RpcError: The call failed; its subclasses say how.

        Calls `AppService.Create`, and for an app that there is already `Get` and `Update`.
        """
        caller = resolve_client(client)
        message = located("app", app, caller, project, domain)
        try:
            return await cls._create.aio(message, client=caller)
        except (AlreadyExistsError, AbortedError) as taken:
            try:
                before = await cls.get.aio(**named(message), client=caller)
            except NotFoundError:
                raise taken from None
        metadata = message.metadata or Meta()
        return await before._succeed(message.spec or Spec(), _SERVED, metadata.labels or None, metadata)

    @fetching
    @classmethod
    async def replace(
        cls,
        name: str,
        updated_app_spec: Spec,
        reason: str,
        labels: Mapping[str, str] | None = None,
        *,
        project: str | None = None,
        domain: str | None = None,
        client: Client | None = None,
    ) -> Self:
        """Give an app another definition. Nothing is sent when it has that one already.

        Where the definition has no `ingress`, the app stays where it is reached.

        Args:
            name: The app.
            updated_app_spec: Its new definition.
            reason: Why, for those who look at its history; at most 100 characters.
            labels: New labels, in place of all that it has; {} for none. Default: those that it has.
            project: Project id. Default: the client's.
            domain: Domain id. Default: the client's.
            client: The client to ask with. Default: the current one.

        Returns:
            The app as the server has it now.

        Raises:
            TypeError: `updated_app_spec` is no message of a definition; nothing was sent.
            ValueError: An argument is not usable; nothing was sent.
            NotFoundError: There is no such app.
            RpcError: The call failed; its subclasses say how.

        Calls `AppService.Get` and `Update`.
        """
        spec = checked_spec("updated_app_spec", updated_app_spec)
        checked_reason(reason)
        new_labels = None if labels is None else texts("labels", labels)
        before = await cls.get.aio(name, project=project, domain=domain, client=client)
        return await before._succeed(spec, reason, new_labels)

    async def _succeed(
        self, spec: Spec, reason: str, labels: Mapping[str, str] | None, source: Meta | None = None
    ) -> Self:
        """The app with another definition; this one where that is what it has."""
        message = successor(self.pb2, spec, labels, source)
        if message is None:
            _log.info("%s is that already, and is not updated", self._label())
            return self
        return await type(self)._update.aio(message, reason, client=self.client)

    @fetching
    @classmethod
    async def update(
        cls,
        updated_app_proto: AppMessage,
        reason: str,
        *,
        project: str | None = None,
        domain: str | None = None,
        client: Client | None = None,
    ) -> Self:
        """Change an app into the one that is given, as a whole. `replace` keeps what it is not told.

        Args:
            updated_app_proto: The app as it is to be. What its identifier leaves out is filled in.
            reason: Why, for those who look at its history; at most 100 characters.
            project: Project id. Default: the app's own, else the client's.
            domain: Domain id. Default: the app's own, else the client's.
            client: The client to ask with. Default: the current one.

        Returns:
            The app as the server has it now.

        Raises:
            TypeError: `updated_app_proto` is no message of an app; nothing was sent.
            ValueError: An argument is not usable; nothing was sent.
            NotFoundError: There is no such app.
            RpcError: The call failed; its subclasses say how.

        Calls `AppService.Update`.
        """
        caller = resolve_client(client)
        message = located("updated_app_proto", updated_app_proto, caller, project, domain)
        return await cls._update.aio(message, checked_reason(reason), client=caller)

    @streaming
    def get_logs(
        self, replica_name: str | None = None, *, filter_system: bool = False, follow: bool = True
    ) -> Stream[LogLine]:
        """What the app writes, line by line, from all of its replicas: what there is, then what comes.

        A lost connection is taken up again, and no line that has a time comes twice. It ends when the app is down, or has
        no replicas any more.

        Args:
            replica_name: Only the lines of this replica. Default: of all.
            filter_system: Whether lines that the platform wrote are left out. Default: False.
            follow: Whether to wait for more when all was read that there is. Default: True.

        Returns:
            A stream of lines, to be used with `for` or `async for`. `str(line)` is the text, without a line break.

        Raises:
            ValueError: `replica_name` is empty.
            NotFoundError: There is no such app.
            LogsNotYetAvailableError: It has no replica that could write anything.
            RpcError: The call failed; its subclasses say how.

        Calls `AppLogsService.TailLogs` and `AppService.Get`.
        """
        from .logs import follow as lines

        return lines(self, replica_name, filter_system=filter_system, endless=follow)

    @blocking
    async def show_logs(
        self,
        max_lines: int | None = None,
        show_ts: bool = False,
        raw: bool = False,
        filter_system: bool = False,
        replica_name: str | None = None,
    ) -> None:
        """Print what the app writes, as it comes, until it is down. Errors as in `get_logs`.

        Args:
            max_lines: Stop after this many. Default: never.
            show_ts: Whether each line starts with its time in UTC. Default: False.
            raw: Whether lines are printed as the app wrote them, without the name of the replica in front. Default: False.
            filter_system: Whether lines that the platform wrote are left out. Default: False.
            replica_name: Only the lines of this replica. Default: of all.
        """
        from .logs import show

        await show(self.get_logs(replica_name, filter_system=filter_system), max_lines, show_ts=show_ts, raw=raw)
