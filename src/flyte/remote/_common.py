"""What entities have in common: phases, times, where they are, and where the console shows them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypedDict
from urllib.parse import quote, urlsplit

from flyte.models import ActionPhase, UnknownPhase
from flyte_rpc.entities.filters import TimeFilter

if TYPE_CHECKING:
    from flyte_api.messages.flyteidl2.common.identity import EnrichedIdentity
    from flyte_api.messages.flyteidl2.workflow.run_definition import ActionStatus
    from flyte_rpc.calls.client import Client

__all__ = ["ActionPhase", "HasPhase", "Phase", "Place", "Placed", "TimeFilter", "console_url", "principal"]

Phase = ActionPhase | UnknownPhase


class Place(TypedDict):
    """Where a thing is, as keyword arguments."""

    project: str | None
    domain: str | None


class Placed:
    """A thing of a project and domain."""

    if TYPE_CHECKING:

        @property
        def project(self) -> str: ...
        @property
        def domain(self) -> str: ...

    @property
    def place(self) -> Place:
        """The project and domain it is in, as keyword arguments of a call."""
        return Place(project=self.project or None, domain=self.domain or None)


_LONGEST = timedelta.max // timedelta(milliseconds=1)


class HasPhase:
    """The phase of something that runs."""

    if TYPE_CHECKING:

        def _status(self) -> ActionStatus | None:
            """Where it is kept."""
            ...

    @property
    def raw_phase(self) -> int:
        """The number of the phase on the wire; 0 when the server did not say."""
        status = self._status()
        return 0 if status is None else int(status.phase)

    @property
    def phase(self) -> Phase:
        """The phase when this was read. One that this release does not know reads `unknown(42)`."""
        return ActionPhase.from_protobuf(self.raw_phase)

    @property
    def attempts(self) -> int:
        """The number of the latest attempt, from 1; 0 before the first."""
        status = self._status()
        return 0 if status is None else status.attempts

    @property
    def runtime(self) -> timedelta | None:
        """From creation to end, or to now while it goes on; None when the server did not say when it was created."""
        status = self._status()
        if status is None or status.start_time is None:
            return None
        end = status.end_time.to_datetime() if status.end_time is not None else None
        if end is None and self.done() and status.duration_ms is not None:
            # Held to what a timedelta can be: what a server says is no reason to fail.
            return timedelta(milliseconds=min(status.duration_ms, _LONGEST))
        return (end or datetime.now(UTC)) - status.start_time.to_datetime()

    def done(self) -> bool:
        """Whether the phase was terminal when this was read."""
        return self.phase.is_terminal


def console_url(client: Client, *parts: str, action: str = "") -> str:
    """Where the web console shows something of a project.

    Args:
        client: The client it was read with.
        parts: Domain, project, then kind and names, unescaped.
        action: An action within a run.
    """
    where = urlsplit(client.endpoint)
    domain, project, *rest = (quote(part, safe="") for part in parts)
    query = f"?i={quote(action, safe='')}" if action else ""
    return f"{where.scheme}://{where.netloc}/v2/domain/{domain}/project/{project}/{'/'.join(rest)}{query}"


def principal(identity: EnrichedIdentity | None) -> str:
    """Who did something: an e-mail address, the name of an application, or the subject; empty if nobody knows."""
    user, application = (None, None) if identity is None else (identity.user, identity.application)
    if user is not None:
        return (user.spec.email if user.spec else "") or (user.id.subject if user.id else "")
    if application is not None:
        return (application.spec.name if application.spec else "") or (application.id.subject if application.id else "")
    return ""
