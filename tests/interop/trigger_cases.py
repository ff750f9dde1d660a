"""The triggers that both SDKs write. Imported by either environment: `flyte` is the one of the environment."""

from __future__ import annotations

from datetime import UTC, datetime

import flyte

DAY = datetime(2026, 1, 2, 3, tzinfo=UTC)
CASES = {
    "cron": flyte.Trigger(
        "nightly",
        flyte.Cron("0 2 * * *", "Europe/Berlin"),
        "Reports of the day before",
        inputs={"day": flyte.TriggerTime, "country": "de"},
        env_vars={"A": "1"},
        interruptible=False,
        queue="slow",
        max_action_concurrency=3,
        labels={"team": "a"},
        annotations={"note": "b"},
        custom_context={"trace": "t"},
    ),
    "rate": flyte.Trigger("rate", flyte.FixedRate(90, DAY), inputs={"day": DAY, "country": "de"}, auto_activate=False),
    "rate from now": flyte.Trigger("now", flyte.FixedRate(5), inputs={"day": DAY, "country": "de", "limit": 4}),
    "artifact": flyte.Trigger(
        "artifact",
        flyte.OnArtifact("raw", "7", region="eu"),
        inputs={"day": flyte.TriggeredPartition("date"), "country": flyte.TriggeredPartition("country")},
    ),
    "whole artifact": flyte.Trigger(
        "whole", flyte.OnArtifact("raw"), inputs={"day": DAY, "country": flyte.TriggeredArtifact}
    ),
    "none": flyte.Trigger("none", inputs={"country": "de"}),
    "ready-made": flyte.Trigger.weekly("day", inputs={"country": "fr"}, description="weekly"),
}
