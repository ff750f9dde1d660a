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
        (lambda: Slack(on_phase=FAILED, webhook_url=""), "Slack.webhook_url must be a URL"),
        (lambda: Webhook(on_phase=FAILED, url="https://w", method="PULL"), "PULL"),  # type: ignore[arg-type]
    ],
)
def test_values_that_are_invalid(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


URL = "https://hooks.example/s3cret"


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Email(on_phase=5, recipients="a@b.c"), TypeError, "on_phase takes a phase or several"),  # type: ignore[arg-type]
        (lambda: Email(on_phase=None, recipients="a@b.c"), TypeError, "on_phase takes a phase or several"),  # type: ignore[arg-type]
        (lambda: Email(on_phase={"failed": 1}, recipients="a@b.c"), TypeError, "on_phase takes a phase or several"),  # type: ignore[arg-type]
        (lambda: Email(on_phase=FAILED, recipients=5), TypeError, "Email.recipients takes an address or a list"),  # type: ignore[arg-type]
        (lambda: Email(on_phase=FAILED, recipients={"a@b.c": 1}), TypeError, "Email.recipients takes an address or a list"),  # type: ignore[arg-type]
        (lambda: Email(on_phase=FAILED, recipients="a@b.c", cc=5), TypeError, "Email.cc takes an address or a list"),  # type: ignore[arg-type]
        (lambda: Email(on_phase=FAILED, recipients=[5]), TypeError, "Email.recipients takes text, not int"),  # type: ignore[list-item]
        (lambda: Email(on_phase=FAILED, recipients="a@b.c", html_body=5), TypeError, "Email.html_body takes text"),  # type: ignore[arg-type]
        (lambda: Slack(on_phase=FAILED, webhook_url=URL, message=5), TypeError, "Slack.message takes text"),  # type: ignore[arg-type]
        (lambda: Slack(on_phase=FAILED, webhook_url=URL, blocks="x"), TypeError, "Slack.blocks takes a list of mappings"),  # type: ignore[arg-type]
        (lambda: Slack(on_phase=FAILED, webhook_url=URL, blocks={"type": "divider"}), TypeError,  # type: ignore[arg-type]
         "Slack.blocks takes a list of mappings, one for each block, not dict"),
        (lambda: Slack(on_phase=FAILED, webhook_url=URL, blocks=[{}, 5]), TypeError, "not tuple of int"),  # type: ignore[list-item]
        (lambda: Teams(on_phase=FAILED, webhook_url=URL, message=5), TypeError, "Teams.message takes text"),  # type: ignore[arg-type]
        (lambda: Teams(on_phase=FAILED, webhook_url=URL, card=[{}]), TypeError, "Teams.card takes a mapping, not list"),  # type: ignore[arg-type]
        (lambda: Teams(on_phase=FAILED, webhook_url=URL, card={"a": object()}), TypeError, "Teams.card cannot be written as JSON"),
        (lambda: Webhook(on_phase=FAILED, url=URL, headers=["a"]), TypeError, "Webhook.headers takes a mapping of text to text"),  # type: ignore[arg-type]
        (lambda: Webhook(on_phase=FAILED, url=URL, headers={"a": 1}), TypeError, "Webhook.headers takes text"),  # type: ignore[dict-item]
        (lambda: Webhook(on_phase=FAILED, url=URL, body=["a"]), TypeError, "Webhook.body takes a mapping or text, not list"),  # type: ignore[arg-type]
        (lambda: Webhook(on_phase=FAILED, url=URL, body={"a": {1}}), TypeError, "Webhook.body cannot be written as JSON"),
        (lambda: Webhook(on_phase=FAILED, url=5), TypeError, "Webhook.url takes text, not int"),  # type: ignore[arg-type]
        *(
            (lambda make=make, url=url: make(url), ValueError, "must be a URL with http:// or https:// and a host")
            for make in (
                lambda url: Webhook(on_phase=FAILED, url=url),
                lambda url: Slack(on_phase=FAILED, webhook_url=url),
                lambda url: Teams(on_phase=FAILED, webhook_url=url),
            )
            for url in ("", "s3cret", "ftp://host/s3cret", "https://", "https:///s3cret", "http://[s3cret")
        ),
    ],
)  # fmt: skip
def test_wrong_values(make: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        make()
    assert message in str(caught.value) and "s3cret" not in str(caught.value)


def test_names_are_given_alike() -> None:
    assert NamedRule("on-call") == NamedRule(name="on-call")
    assert NamedDelivery("channel", on_phase=FAILED) == NamedDelivery(on_phase=FAILED, name="channel")


def test_templates_in_urls() -> None:
    url = "https://hooks.example/{{.Run.Name}}?phase={{.Phase}}"
    rule = sent(Webhook(on_phase=FAILED, url=url))
    assert rule.delivery_template is not None and rule.delivery_template.webhook is not None
    assert rule.delivery_template.webhook.url == url


def test_rules_that_other_clients_stored_are_left_out_if_they_cannot_be_written() -> None:
    spec = RunSpec()
    set_notifications(spec, [Webhook(on_phase=FAILED, url=URL), NamedDelivery("channel", on_phase=FAILED)])
    assert spec.notification_rules is not None
    template = spec.notification_rules.rules[0].delivery_template
    assert template is not None and template.webhook is not None
    template.webhook.url = "no-scheme"
    assert notifications_of(spec) == (NamedDelivery("channel", on_phase=FAILED),)
