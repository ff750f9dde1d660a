"""Code that entities share: phases, time filters, project and domain, and the URL in the web console."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, TypedDict
from urllib.parse import quote, urlsplit

from flyte.models import ActionPhase, UnknownPhase
from flyte_rpc.entities.entity import Entity
from flyte_rpc.entities.filters import TimeFilter

if TYPE_CHECKING:
    from flyte_api.messages.flyteidl2.common.identity import EnrichedIdentity
    from flyte_rpc.calls.client import Client

__all__ = ["ActionPhase", "Phase", "ProjectScope", "ProjectScoped", "TimeFilter", "console_url", "principal"]

Phase = ActionPhase | UnknownPhase


class ProjectScope(TypedDict):
    """A project and a domain, as keyword arguments of a call."""

    project: str | None
    domain: str | None


class ProjectScoped(Entity[Any]):
    """Mixin for entities of a project and domain. It goes behind the generated base, which has these properties."""

    @property
    @abstractmethod
    def project(self) -> str:
        """Project id."""

    @property
    @abstractmethod
    def domain(self) -> str:
        """Domain id."""

    @property
    def _scope(self) -> ProjectScope:
        return ProjectScope(project=self.project or None, domain=self.domain or None)


def console_url(client: Client, *parts: str, action: str = "") -> str:
    """Return the URL of a page in the web console.

    Args:
        client: The client that fetched the entity.
        parts: Domain, project, then kind and names, unescaped.
        action: An action within a run.
    """
    where = urlsplit(client.endpoint)
    domain, project, *rest = (quote(part, safe="") for part in parts)
    query = f"?i={quote(action, safe='')}" if action else ""
    return f"{where.scheme}://{where.netloc}/v2/domain/{domain}/project/{project}/{'/'.join(rest)}{query}"


def principal(identity: EnrichedIdentity | None) -> str:
    """Return the name of an identity: an e-mail address, an application name or the subject; empty if unknown."""
    user, application = (None, None) if identity is None else (identity.user, identity.application)
    if user is not None:
        return (user.spec.email if user.spec else "") or (user.id.subject if user.id else "")
    if application is not None:
        return (application.spec.name if application.spec else "") or (application.id.subject if application.id else "")
    return ""
