"""Converts notifications to messages and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from typing import Any, get_args

from flyte.definitions.notifications import (
    Email,
    NamedDelivery,
    NamedRule,
    Notification,
    Notifications,
    Slack,
    Teams,
    Webhook,
    default_text,
)
from flyte.definitions.notifications import HttpMethod as HttpMethodName
from flyte.models import ActionPhase
from flyte_api.messages.flyteidl2.common.phase import ActionPhase as PhaseNumber
from flyte_api.messages.flyteidl2.notification.definition import (
    DeliveryConfigTemplate,
    EmailDeliveryTemplate,
    EmailRecipient,
    HttpMethod,
    InlineEmailTemplate,
    WebhookDeliveryTemplate,
)
from flyte_api.messages.flyteidl2.task.run import InlineRule, InlineRuleList, RunSpec

_JSON = {"Content-Type": "application/json"}
_BODY = {
    "run": "{{.Run.Name}}",
    "project": "{{.Run.Project}}",
    "domain": "{{.Run.Domain}}",
    "phase": "{{.Phase}}",
    "error": "{{.Error}}",
}


def set_notifications(spec: RunSpec, notifications: Notifications) -> None:
    """Write notifications to the spec of a run. They replace those that it has."""
    spec.notification_rule_name = spec.notification_rules = None
    match notifications:
        case str():
            spec.notification_rule_name = notifications
        case NamedRule():
            spec.notification_rule_name = notifications.name
        case Notification():
            spec.notification_rules = InlineRuleList(rules=[_rule(notifications)])
        case _:
            spec.notification_rules = InlineRuleList(rules=[_rule(each) for each in notifications])


def _rule(notification: Notification) -> InlineRule:
    rule = InlineRule(on_phases=[PhaseNumber(phase.to_protobuf_value()) for phase in notification.on_phase])
    if isinstance(notification, NamedDelivery):
        rule.delivery_config_name = notification.name
    else:
        rule.delivery_template = _delivery(notification)
    return rule


def _delivery(notification: Notification) -> DeliveryConfigTemplate:
    match notification:
        case Email():
            return DeliveryConfigTemplate(email=_email(notification))
        case Slack():
            blocks = notification.blocks
            body: Any = {"text": notification.message or default_text()} if blocks is None else {"blocks": list(blocks)}
            return _webhook(notification.webhook_url, "POST", _JSON, body)
        case Teams():
            message = {"title": notification.title, "text": notification.message or default_text()}
            return _webhook(notification.webhook_url, "POST", _JSON, notification.card or message)
        case Webhook():
            body = _BODY if notification.body is None else notification.body
            return _webhook(notification.url, notification.method, notification.headers or {}, body)
        case _:
            raise TypeError(f"{type(notification).__name__} is not a notification that servers know")


def _webhook(url: str, method: str, headers: Mapping[str, str], body: Any) -> DeliveryConfigTemplate:
    return DeliveryConfigTemplate(
        webhook=WebhookDeliveryTemplate(
            url=url,
            method=HttpMethod[method],
            headers=dict(headers),
            body_template=body if isinstance(body, str) else json.dumps(body),
        )
    )


def _email(email: Email) -> EmailDeliveryTemplate:
    to, cc, bcc = (
        [EmailRecipient(address=address) for address in each] for each in (email.recipients, email.cc, email.bcc)
    )
    # Servers require HTML.
    html = email.html_body or f"<pre>{escape(email.body, quote=False)}</pre>"
    inline = InlineEmailTemplate(subject=email.subject, text_template=email.body, html_template=html)
    return EmailDeliveryTemplate(to=to, cc=cc, bcc=bcc, inline=inline)


def notifications_of(spec: RunSpec) -> Notifications | None:
    """Return the notifications of a run spec. Slack and Teams come back as the webhooks that they are.

    Rules that `flyte.notify` cannot express, such as emails from a template of the server, are left out.
    """
    if spec.notification_rule_name is not None:
        return spec.notification_rule_name or None
    rules = [] if spec.notification_rules is None else spec.notification_rules.rules
    return tuple(each for rule in rules if (each := _readable(rule)) is not None) or None


def _readable(rule: InlineRule) -> Notification | None:
    try:
        return _notification(rule)
    except ValueError:  # other clients may store what `flyte.notify` refuses, such as a URL without a scheme
        return None


def _notification(rule: InlineRule) -> Notification | None:
    known = [ActionPhase.from_protobuf(int(number)) for number in rule.on_phases]
    phases = tuple(phase for phase in known if isinstance(phase, ActionPhase))
    if not phases or len(phases) != len(known):
        return None
    if rule.delivery_config_name:
        return NamedDelivery(on_phase=phases, name=rule.delivery_config_name)
    delivery = rule.delivery_template or DeliveryConfigTemplate()
    if (webhook := delivery.webhook) is not None and webhook.method.name in get_args(HttpMethodName):
        method: Any = webhook.method.name
        return Webhook(
            on_phase=phases, url=webhook.url, method=method, headers=webhook.headers or None, body=webhook.body_template
        )
    email = delivery.email
    if email is None or email.inline is None:
        return None
    return Email(
        on_phase=phases,
        recipients=[each.address for each in email.to],
        cc=[each.address for each in email.cc],
        bcc=[each.address for each in email.bcc],
        subject=email.inline.subject,
        body=email.inline.text_template or email.inline.html_template,
        html_body=email.inline.html_template or None,
    )
