"""Notifications: their values, and how they travel."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from flyte.models import ActionPhase
from flyte.notify import Email, NamedDelivery, NamedRule, Notification, Slack, Teams, Webhook
from flyte.remote.launch.notifications import notifications_of, set_notifications
from flyte_api.messages.flyteidl2.notification.definition import DeliveryConfigTemplate
from flyte_api.messages.flyteidl2.task.run import InlineRule, InlineRuleList, RunSpec

FAILED = ActionPhase.FAILED


def sent(notification: Notification) -> InlineRule:
    spec = RunSpec()
    set_notifications(spec, notification)
    assert spec.notification_rules is not None
    (rule,) = RunSpec.parse(bytes(spec)).notification_rules.rules  # type: ignore[union-attr]
    return rule


def body_of(notification: Notification) -> Any:
    rule = sent(notification)
    assert rule.delivery_template is not None and rule.delivery_template.webhook is not None
    assert rule.delivery_template.webhook.method.name == "POST"
    return json.loads(rule.delivery_template.webhook.body_template)


def test_rules_by_name() -> None:
    for rule in ("on-call", NamedRule("on-call")):
        spec = RunSpec(notification_rules=InlineRuleList())
        set_notifications(spec, rule)
        assert spec.notification_rule_name == "on-call" and spec.notification_rules is None
        assert notifications_of(spec) == "on-call"
    assert notifications_of(RunSpec()) is None


def test_messages() -> None:
    assert body_of(Slack(on_phase=FAILED, webhook_url="https://s", message="hi")) == {"text": "hi"}
    assert body_of(Slack(on_phase=FAILED, webhook_url="https://s", blocks=[{"type": "divider"}])) == {
        "blocks": [{"type": "divider"}]
    }
    assert body_of(Teams(on_phase=FAILED, webhook_url="https://t", title="a", message="b")) == {
        "title": "a",
        "text": "b",
    }
    assert body_of(Teams(on_phase=FAILED, webhook_url="https://t", card={"type": "c"})) == {"type": "c"}
    assert body_of(Webhook(on_phase=FAILED, url="https://w"))["error"] == "{{.Error}}"
    assert "{{.Phase}}" in body_of(Slack(on_phase=FAILED, webhook_url="https://s"))["text"]


def test_emails_have_html_because_servers_require_it() -> None:
    rule = sent(Email(on_phase=("failed", "TIMED_OUT"), recipients="a@b.c", body="1 < 2 {{.Error}}"))
    assert [phase.name for phase in rule.on_phases] == ["FAILED", "TIMED_OUT"]
    email = (rule.delivery_template or DeliveryConfigTemplate()).email
    assert email is not None and email.inline is not None
    assert email.inline.html_template == "<pre>1 &lt; 2 {{.Error}}</pre>"
    assert [to.address for to in email.to] == ["a@b.c"]


def test_there_and_back() -> None:
    given = (
        NamedDelivery(on_phase=FAILED, name="channel"),
        Webhook(on_phase=FAILED, url="https://w", method="PUT", headers={"a": "b"}, body="text"),
        Email(on_phase=FAILED, recipients=["a@b.c"], cc=["d@e.f"], subject="s", body="t", html_body="<p>"),
        NamedDelivery(on_phase=ActionPhase.PAUSED, name="channel"),
    )
    spec = RunSpec()
    set_notifications(spec, given)
    assert notifications_of(RunSpec.parse(bytes(spec))) == given


def test_secrets_stay_out_of_the_repr() -> None:
    for each in (
        Slack(on_phase=FAILED, webhook_url="https://hooks/T0PSECRET"),
        Teams(on_phase=FAILED, webhook_url="https://hooks/T0PSECRET"),
        Webhook(on_phase=FAILED, url="https://x?T0PSECRET", headers={"Authorization": "T0PSECRET"}),
    ):
        assert "T0PSECRET" not in repr(each)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: NamedRule(""), "NamedRule.name must not be empty"),
        (lambda: NamedDelivery(on_phase=(), name="x"), "at least one phase"),
        (lambda: NamedDelivery(on_phase="running", name="x"), "on_phase cannot be 'running'"),
        (lambda: NamedDelivery(on_phase=("paused", "failed"), name="x"), "paused alone"),
        (lambda: Email(on_phase=FAILED, recipients=[]), "at least one address"),
        (lambda: Slack(on_phase=FAILED, webhook_url=""), "webhook_url must not be empty"),
        (lambda: Webhook(on_phase=FAILED, url="https://w", method="PULL"), "PULL"),  # type: ignore[arg-type]
    ],
)
def test_values_that_are_invalid(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
