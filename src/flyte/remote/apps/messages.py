"""Builds and validates the messages that create and change apps."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import TypedDict

from flyte_api.messages.flyteidl2.app.app_definition import App, Identifier, Meta, Spec, SpecDesiredState
from flyte_rpc.arguments import text, texts
from flyte_rpc.calls.client import Client
from flyte_rpc.codec.message import which_one_of

from .definition import AppSpec


class Named(TypedDict):
    """The identifier of an app."""

    name: str
    project: str
    domain: str


_MAX_NAME = 30
_MAX_REASON = 100

SERVED = "User requested serve from sdk"
ACTIVATED = "User requested to activate app from flyte-sdk"
DEACTIVATED = "User requested to deactivate app from flyte-sdk"
"""Reasons that the console shows, as the reference SDK sends them."""


def checked_spec(argument: str, spec: object) -> Spec:
    """Validate the definition of an app.

    Raises:
        TypeError: The argument has the wrong type.
        ValueError: It has neither a container nor a pod.
    """
    if isinstance(spec, AppSpec):
        spec = spec.to_message()
    if not isinstance(spec, Spec):
        raise TypeError(f"{argument} takes an AppSpec or a message flyteidl2.app.Spec, not {type(spec).__name__}")
    if not which_one_of(spec, "app_payload")[0]:
        raise ValueError(f"{argument} has nothing to run; set its container or pod")
    return spec


def checked_reason(reason: object) -> str:
    """Validate the reason of a change."""
    return text("reason", reason, 0, _MAX_REASON)


def located(argument: str, app: object, client: Client, project: str | None, domain: str | None) -> App:
    """Validate an app message and fill in the missing parts of its identifier.

    Raises:
        TypeError: The argument has the wrong type.
        ValueError: It has no name or nothing to run, or its project or domain differs from the argument.
        InitializationError: No project or domain is set.
    """
    if not isinstance(app, App):
        raise TypeError(f"{argument} takes a message flyteidl2.app.App, not {type(app).__name__}")
    metadata = app.metadata or Meta()
    held = metadata.id or Identifier()
    name = text(f"{argument}.metadata.id.name", held.name, 1, _MAX_NAME)
    checked_spec(f"{argument}.spec", app.spec)
    for label, given, inner in (("project", project, held.project), ("domain", domain, held.domain)):
        if given is not None and inner and given != inner:
            raise ValueError(f"{label} is {given!r}, but {argument}.metadata.id.{label} is {inner!r}; omit one of them")
    scope = client.scope(held.project or project, held.domain or domain)
    sent, sent_metadata = copy(app), copy(metadata)
    sent_metadata.id = Identifier(org=held.org or client.org, project=scope.project, domain=scope.domain, name=name)
    sent.metadata = sent_metadata
    return sent


def described(name: object, spec: object, labels: Mapping[str, str] | None) -> object:
    """Return the message for the arguments of `App.create`; a message stays as it is.

    Raises:
        TypeError: An argument has the wrong type, or is missing.
    """
    if not isinstance(name, str):
        if spec is not None or labels is not None:
            raise TypeError("spec and labels go with the name of an app; a message has both already")
        return name
    if spec is None:
        raise TypeError(f"App.create({name!r}) needs a spec: App.create({name!r}, AppSpec(image=...))")
    metadata = Meta(id=Identifier(name=name), labels=texts("labels", labels or {}))
    return App(metadata=metadata, spec=checked_spec("spec", spec))


def named(app: App) -> Named:
    """Return the identifier of an app as keyword arguments."""
    held = (app.metadata or Meta()).id or Identifier()
    return Named(name=held.name, project=held.project, domain=held.domain)


def with_desired_state(app: App, state: SpecDesiredState) -> App:
    """Return a copy of the app with another desired state."""
    spec = copy(app.spec or Spec())
    spec.desired_state = state
    changed = copy(app)
    changed.spec = spec
    return changed


def successor(before: App, spec: Spec, labels: Mapping[str, str] | None, source: Meta | None = None) -> App | None:
    """Return the message that replaces an app; None if nothing changes.

    The creator is kept, and so is the address, unless the new definition sets it.

    Args:
        before: The current app.
        spec: Its new definition.
        labels: Its new labels; None to keep the existing ones.
        source: Metadata of its new source code. None to keep the existing metadata.
    """
    old = before.spec or Spec()
    spec = copy(spec)
    spec.creator = old.creator
    if spec.ingress is None:
        spec.ingress = old.ingress
    metadata = copy(before.metadata or Meta())
    if labels is not None:
        metadata.labels = dict(labels)
    if source is not None:
        metadata.code_bundle_uri = source.code_bundle_uri or metadata.code_bundle_uri
        metadata.source_code = source.source_code or metadata.source_code
    if (spec, metadata) == (before.spec, before.metadata):
        return None
    return App(metadata=metadata, spec=spec, status=before.status)
