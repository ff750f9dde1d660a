"""Notifications about runs, for `flyte.with_runcontext(notifications=...)` and `flyte.Trigger(notifications=...)`."""

from flyte.definitions.notifications import (
    Email,
    NamedDelivery,
    NamedRule,
    Notification,
    Slack,
    Teams,
    Webhook,
)

__all__ = ["Email", "NamedDelivery", "NamedRule", "Notification", "Slack", "Teams", "Webhook"]
