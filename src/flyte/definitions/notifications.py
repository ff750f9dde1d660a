"""Notifications about runs. Texts may contain `{{.Run.Name}}`, `{{.Run.Project}}`, `{{.Run.Domain}}`, `{{.Phase}}` and
`{{.Error}}`, which the server fills in."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast, get_args
from urllib.parse import urlsplit

import attrs

from flyte.definitions.validators import one_of
from flyte.models import ActionPhase
from flyte_rpc.arguments import text, texts
from flyte_rpc.typeguards import is_sequence

HttpMethod = Literal["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"]

PHASES = (ActionPhase.SUCCEEDED, ActionPhase.FAILED, ActionPhase.ABORTED, ActionPhase.TIMED_OUT)
"""The final phases that can be notified of."""
_SUMMARY = "Run {{.Run.Name}} {{.Phase}}"
_DETAILS = (
    "Run: {{.Run.Name}}\nProject/Domain: {{.Run.Project}}/{{.Run.Domain}}\nPhase: {{.Phase}}\nError: {{.Error}}\n"
)


def _phases(value: Any) -> tuple[ActionPhase, ...]:
    if not isinstance(value, str) and not is_sequence(value):
        raise TypeError(f"on_phase takes a phase or several, such as 'failed', not {type(value).__name__} ({value!r})")
    names = (value,) if isinstance(value, str) else tuple(value)
    if not names:
        raise ValueError("on_phase needs at least one phase")
    known = {str(phase): phase for phase in (*PHASES, ActionPhase.PAUSED)}
    for name in names:
        if str(name).lower() not in known:
            raise ValueError(f"on_phase cannot be {name!r}; it takes {', '.join(map(repr, known))}")
    phases = tuple(known[str(name).lower()] for name in names)
    if ActionPhase.PAUSED in phases and len(phases) > 1:
        raise ValueError("on_phase takes paused alone; write a second notification for the other phases")
    return phases


def _texts(value: Any) -> Any:
    return (value,) if isinstance(value, str) else tuple(value) if is_sequence(value) else value


def _filled(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    text(f"{type(instance).__name__}.{attribute.name}", value, 1)


def _optional_text(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if value is not None:
        text(f"{type(instance).__name__}.{attribute.name}", value)


def _addresses(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, tuple):
        raise TypeError(f"Email.{attribute.name} takes an address or a list of addresses, not {type(value).__name__}")
    if attribute.name == "recipients" and not value:
        raise ValueError("Email.recipients needs at least one address")
    for address in cast("tuple[object, ...]", value):
        text(f"Email.{attribute.name}", address, 1)


def _url(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    """Check a URL. The errors do not show it, because it may contain a token."""
    name = f"{type(instance).__name__}.{attribute.name}"
    if not isinstance(value, str):
        raise TypeError(f"{name} takes text, not {type(value).__name__}")
    try:
        parts = urlsplit(value)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:  # such as brackets without an IPv6 address
        usable = False
    if not usable:
        raise ValueError(f"{name} must be a URL with http:// or https:// and a host")


def _json(name: str, value: object) -> None:
    """Check that JSON can express a value. The errors do not show it, because it may contain credentials."""
    try:
        json.dumps(value)
    except (TypeError, ValueError) as error:
        problem = error
    else:
        return
    raise type(problem)(f"{name} cannot be written as JSON: {problem}")


def _blocks(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if value is None:
        return
    if not is_sequence(value) or not all(isinstance(block, Mapping) for block in value):
        raise TypeError(f"Slack.blocks takes a list of mappings, one for each block, not {_kind(value)}")
    _json("Slack.blocks", value)


def _mapping(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    """Check a mapping that is sent as JSON; text is sent as it is, where the field takes it."""
    name = f"{type(instance).__name__}.{attribute.name}"
    takes_text = attribute.name == "body"
    if value is None or (takes_text and isinstance(value, str)):
        return
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} takes a mapping{' or text' if takes_text else ''}, not {type(value).__name__}")
    _json(name, cast("Mapping[object, object]", value))


def _headers(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if value is not None:
        texts("Webhook.headers", value)


def _kind(value: object) -> str:
    if not is_sequence(value):
        return type(value).__name__
    return f"{type(value).__name__} of {next(type(item).__name__ for item in value if not isinstance(item, Mapping))}"


def _frozen_sequence(value: Any) -> Any:
    return tuple(value) if is_sequence(value) else value


def _hide(value: object) -> str:
    return "..."


@attrs.frozen
class NamedRule:
    """A notification rule that is configured on the server. It decides about phases and delivery.

    Args:
        name: Name of the rule in the project and domain.
    """

    name: str = attrs.field(validator=_filled)


@attrs.frozen(kw_only=True)
class Notification:
    """Base class of notifications that a run brings along.

    Args:
        on_phase: The phase or phases to notify of: succeeded, failed, aborted and timed_out in any combination, or
            paused alone.
    """

    on_phase: tuple[ActionPhase, ...] = attrs.field(converter=_phases)


@attrs.frozen
class NamedDelivery(Notification):
    """Notify over a delivery that is configured on the server, such as a channel or a mailing list.

    Args:
        name: Name of the delivery in the project and domain.
        on_phase: See `Notification`.
    """

    name: str = attrs.field(validator=_filled)


@attrs.frozen(kw_only=True)
class Email(Notification):
    """Notify by email.

    Args:
        on_phase: See `Notification`.
        recipients: Addresses, at least one.
        cc: Addresses for copies. Default: none.
        bcc: Addresses for blind copies. Default: none.
        subject: Subject. Default: name and phase of the run.
        body: Plain text. Default: the run, its phase and error.
        html_body: The same as HTML. Default: plain text only.
    """

    recipients: tuple[str, ...] = attrs.field(converter=_texts, validator=_addresses)
    cc: tuple[str, ...] = attrs.field(default=(), converter=_texts, validator=_addresses)
    bcc: tuple[str, ...] = attrs.field(default=(), converter=_texts, validator=_addresses)
    subject: str = attrs.field(default=_SUMMARY, validator=_filled)
    body: str = attrs.field(default=_DETAILS, validator=_filled)
    html_body: str | None = attrs.field(default=None, validator=_optional_text)


@attrs.frozen(kw_only=True)
class Slack(Notification):
    """Notify a Slack channel through its incoming webhook.

    Args:
        on_phase: See `Notification`.
        webhook_url: URL of the webhook. It is a secret, so the repr omits it.
        message: Text. Default: the run, its phase and error.
        blocks: Blocks of Slack's Block Kit, instead of a message.
    """

    webhook_url: str = attrs.field(validator=_url, repr=_hide)
    message: str | None = attrs.field(default=None, validator=_optional_text)
    blocks: Sequence[Mapping[str, Any]] | None = attrs.field(
        default=None, converter=_frozen_sequence, validator=_blocks, hash=False
    )


@attrs.frozen(kw_only=True)
class Teams(Notification):
    """Notify a channel of Microsoft Teams through its incoming webhook.

    Args:
        on_phase: See `Notification`.
        webhook_url: URL of the webhook. It is a secret, so the repr omits it.
        title: Title. Default: name and phase of the run.
        message: Text. Default: the run, its phase and error.
        card: An Adaptive Card, instead of title and message.
    """

    webhook_url: str = attrs.field(validator=_url, repr=_hide)
    title: str = attrs.field(default=_SUMMARY, validator=_filled)
    message: str | None = attrs.field(default=None, validator=_optional_text)
    card: Mapping[str, Any] | None = attrs.field(default=None, validator=_mapping, hash=False)


@attrs.frozen(kw_only=True)
class Webhook(Notification):
    """Notify with an HTTP request.

    Args:
        on_phase: See `Notification`.
        url: URL. It may contain a token, so the repr omits it.
        method: HTTP method. Default: "POST".
        headers: Headers of the request. They may contain credentials, so the repr omits them. Default: none.
        body: Body: a mapping, sent as JSON, or text. Default: JSON with `run`, `project`, `domain`, `phase` and `error`.
    """

    url: str = attrs.field(validator=_url, repr=_hide)
    method: HttpMethod = attrs.field(default="POST", validator=one_of(get_args(HttpMethod)))
    headers: Mapping[str, str] | None = attrs.field(default=None, validator=_headers, hash=False, repr=_hide)
    body: Mapping[str, Any] | str | None = attrs.field(default=None, validator=_mapping, hash=False, repr=_hide)


def default_text() -> str:
    """Return the text of messages without one."""
    return _DETAILS


Notifications = str | NamedRule | Notification | Sequence[Notification]
"""What `notifications=` takes: a rule on the server, by name or as a `NamedRule`, or notifications."""


def check_notifications(argument: str, value: object) -> None:
    """Check the value of a `notifications` argument.

    Raises:
        TypeError: It has the wrong type.
        ValueError: It is empty.
    """
    if value is None or isinstance(value, (NamedRule, Notification)):
        return
    if isinstance(value, (list, tuple)):
        items = cast("Sequence[object]", value)
        if not items:
            raise ValueError(f"{argument} is empty; leave it out for no notifications")
        for item in items:
            if not isinstance(item, Notification):
                alone = isinstance(item, (str, NamedRule))
                rule = "; a rule on the server stands alone, not in a list" if alone else ""
                raise TypeError(
                    f"{argument} takes notifications such as flyte.notify.Email, not {type(item).__name__}{rule}"
                )
        return
    if not isinstance(value, str):
        raise TypeError(
            f"{argument} takes text (the name of a rule), or notifications of flyte.notify, not {type(value).__name__}"
        )
    text(argument, value, 1)
