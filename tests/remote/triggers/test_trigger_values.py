"""Definitions of triggers: `flyte.Trigger` and automations."""

from __future__ import annotations

import copy
import pickle
import zoneinfo
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

import flyte
from flyte.definitions.trigger import StoredInputs

BOUNDS = {"minute": (0, 59), "hour": (0, 23), "day of month": (1, 31), "month": (1, 12), "day of week": (0, 6)}
WORDS = {
    "month": ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
    "day of week": ["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
}
FIELDS = list(BOUNDS)


def numbers(field: str) -> st.SearchStrategy[int]:
    return st.integers(*BOUNDS[field])


def parts(field: str) -> st.SearchStrategy[str]:
    """What a list of a field is made of."""
    high = BOUNDS[field][1]
    single = numbers(field).map(str)
    spans = st.tuples(numbers(field), numbers(field)).map(lambda pair: f"{min(pair)}-{max(pair)}")
    plain = st.one_of(st.just("*"), st.just("?"), single, spans)
    if field in WORDS:
        plain |= st.sampled_from(WORDS[field]) | st.sampled_from(WORDS[field]).map(str.upper)
    return st.one_of(plain, st.tuples(plain, st.integers(1, high)).map(lambda pair: f"{pair[0]}/{pair[1]}"))


def written(field: str) -> st.SearchStrategy[str]:
    return st.lists(parts(field), min_size=1, max_size=4).map(",".join)


EXPRESSIONS = st.tuples(*map(written, FIELDS))


@given(EXPRESSIONS)
def test_every_expression_of_five_fields_is_taken(fields: tuple[str, ...]) -> None:
    expression = " ".join(fields)
    assert flyte.Cron(expression).expression == expression


@given(EXPRESSIONS, st.integers(0, 4), st.data())
def test_a_number_out_of_range_is_refused_with_its_field(
    fields: tuple[str, ...], index: int, data: st.DataObject
) -> None:
    low, high = BOUNDS[FIELDS[index]]
    wrong = data.draw(st.one_of(st.integers(high + 1, 10**6), st.integers(0, low - 1) if low else st.nothing()))
    shape = data.draw(st.sampled_from(["{}", "{}/2", "{}-{}", "*,{}", "{},*/5"]))
    spoilt = [*fields[:index], shape.format(wrong, wrong), *fields[index + 1 :]]
    with pytest.raises(ValueError, match=f"for the {FIELDS[index]}; it takes {low} to {high}"):
        flyte.Cron(" ".join(spoilt))


@given(st.one_of(st.text(max_size=30), st.text("0123456789*/-,? @everyhms.=", max_size=30)))
def test_other_text_is_taken_or_refused_and_never_breaks(expression: str) -> None:
    try:
        flyte.Cron(expression)
    except ValueError as refusal:
        assert "Cron.expression" in str(refusal)
    else:
        assert expression.startswith("@") or len(expression.split()) == 5


@pytest.mark.parametrize(
    "expression",
    [
        "@yearly",
        "@annually",
        "@monthly",
        "@weekly",
        "@daily",
        "@midnight",
        "@hourly",
        "@every 1h30m",
        "@every 1.5h",
        "@every 90s",
    ],
)
def test_descriptors(expression: str) -> None:
    assert flyte.Cron(expression).expression == expression


@pytest.mark.parametrize(
    "expression, complaint",
    [
        ("", "must not be empty"),
        ("0 9 * *", "five fields.*has 4"),
        ("0 0 9 * * ?", "five fields.*has 6"),
        ("0 0 1 1 ? 2030", "five fields.*has 6"),
        ("CRON_TZ=UTC 0 9 * * *", "timezone="),
        ("0 9 * * 7", "'7' for the day of week; it takes 0 to 6 or sun to sat"),
        ("0 9 * foo *", "'foo' for the month; it takes 1 to 12 or jan to dec"),
        ("jan 9 * * *", "'jan' for the minute"),
        ("5-1 9 * * *", "a range goes from the lower to the higher"),
        ("*/0 9 * * *", "a step is a positive number"),
        ("*/x 9 * * *", "a step is a positive number"),
        ("1/2/3 9 * * *", "a step is a positive number"),
        ("1-2-3 9 * * *", "for the minute"),
        ("1,,2 9 * * *", "for the minute"),
        ("-1 9 * * *", "for the minute"),
        ("٣ 9 * * *", "for the minute"),
        ("@reboot", "not known; known: @yearly"),
        ("@Daily", "not known"),
        ("@every", "not known"),
        ("@every 5", "not known"),
        ("@every 0s", "not known"),
        ("@every -1h", "not known"),
    ],
)
def test_expressions_that_are_refused(expression: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        flyte.Cron(expression)


def test_time_zones(monkeypatch: pytest.MonkeyPatch) -> None:
    assert flyte.Cron("@daily").timezone == "UTC"
    assert flyte.Cron("@daily", "Europe/Berlin").timezone == "Europe/Berlin"
    for zone, complaint in (
        ("Europe/Berln", "did you mean 'Europe/Berlin'"),
        ("?", "IANA name"),
        ("../etc", "not a known time zone"),
        ("Europe", "not a known time zone"),
        ("", "must not be empty"),
    ):
        with pytest.raises(ValueError, match=complaint):
            flyte.Cron("@daily", zone)
    with pytest.raises(TypeError, match=r"Cron\.timezone takes text"):
        flyte.Cron("@daily", UTC)  # type: ignore[arg-type]  # that is the point
    # Where the machine knows no zones at all, the server decides.
    monkeypatch.setattr(zoneinfo, "available_timezones", set)
    assert flyte.Cron("@daily", "Mars/Olympus").timezone == "Mars/Olympus"


def trigger(**settings: Any) -> flyte.Trigger:
    return flyte.Trigger("t", **settings)


CRON = flyte.Cron("@daily")
NEW = flyte.OnArtifact("a")


@pytest.mark.parametrize(
    "make, error, complaint",
    [
        (lambda: flyte.FixedRate(0), ValueError, "FixedRate.interval_minutes is 0"),
        (lambda: flyte.FixedRate(2**32), ValueError, r"below 2\*\*32"),
        (lambda: flyte.FixedRate(1.5), TypeError, "FixedRate.interval_minutes takes a whole number"),  # type: ignore[arg-type]
        (lambda: flyte.FixedRate(True), TypeError, "whole number, not bool"),
        (lambda: flyte.FixedRate(5, datetime(2026, 1, 1)), ValueError, "FixedRate.start_time has no time zone"),
        (lambda: flyte.FixedRate(5, "now"), TypeError, "FixedRate.start_time takes a datetime"),  # type: ignore[arg-type]
        (lambda: flyte.OnArtifact(""), ValueError, "OnArtifact.name must not be empty"),
        (lambda: flyte.OnArtifact("a", ""), ValueError, "OnArtifact.version must not be empty"),
        (lambda: flyte.OnArtifact("a", region=1), TypeError, "OnArtifact.partitions takes text"),  # type: ignore[arg-type]
        (lambda: flyte.TriggeredPartition(""), ValueError, "TriggeredPartition.key must not be empty"),
        (lambda: flyte.Trigger(""), ValueError, "Trigger.name must not be empty"),
        (lambda: flyte.Trigger("n" * 256), ValueError, "Trigger.name takes at most 255"),
        (lambda: trigger(automation="@daily"), TypeError, "Trigger.automation takes a Cron, FixedRate or OnArtifact"),
        (lambda: trigger(description="d" * 256), ValueError, "Trigger.description takes at most 255"),
        (lambda: trigger(auto_activate=None), TypeError, "Trigger.auto_activate takes True or False"),
        (lambda: trigger(interruptible="no"), TypeError, "Trigger.interruptible takes True or False"),
        (lambda: trigger(overwrite_cache=1), TypeError, "Trigger.overwrite_cache takes True or False"),
        (lambda: trigger(queue=""), ValueError, "Trigger.queue must not be empty"),
        (lambda: trigger(notifications=5), TypeError, "Trigger.notifications takes text"),
        (lambda: trigger(notifications=()), ValueError, "Trigger.notifications is empty"),
        (
            lambda: trigger(notifications=["rule"]),
            TypeError,
            "takes notifications such as flyte.notify.Email, not str; a rule on the server stands alone",
        ),
        (lambda: trigger(env_vars={"A": 1}), TypeError, "Trigger.env_vars takes text"),
        (lambda: trigger(labels=["a"]), TypeError, "Trigger.labels takes a mapping"),
        (lambda: trigger(inputs=["x"]), TypeError, "Trigger.inputs takes a mapping"),
        (lambda: trigger(inputs={1: 2}), TypeError, "Trigger.inputs takes names"),
        (lambda: trigger(max_action_concurrency=1), ValueError, "max_action_concurrency is 1.*at least 2"),
        (lambda: trigger(max_action_concurrency=-1), ValueError, "must not be negative"),
        (lambda: trigger(max_action_concurrency=2**32), ValueError, "below"),
        (lambda: trigger(max_action_concurrency="2"), TypeError, "whole number"),
        (lambda: trigger(inputs={"x": flyte.TriggerTime}), ValueError, "flyte.TriggerTime to x.*Cron or FixedRate"),
        (lambda: trigger(automation=NEW, inputs={"x": flyte.TriggerTime}), ValueError, "Cron or FixedRate"),
        (lambda: trigger(automation=CRON, inputs={"x": flyte.TriggeredArtifact}), ValueError, "of OnArtifact"),
        (lambda: trigger(automation=CRON, inputs={"x": flyte.TriggeredPartition("k")}), ValueError, "of OnArtifact"),
        (
            lambda: trigger(automation=CRON, inputs={"x": flyte.TriggerTime, "y": flyte.TriggerTime}),
            ValueError,
            "to x and y; only one",
        ),
        (lambda: trigger(stored_inputs=StoredInputs("s3://x", "h"), inputs={"x": 1}), ValueError, "stored_inputs"),
        (
            lambda: trigger(stored_inputs=StoredInputs("s3://x", "h"), custom_context={"x": "1"}),
            ValueError,
            "stored_inputs",
        ),
    ],
)
def test_what_can_not_be_is_refused_when_it_is_made(make: Any, error: type[Exception], complaint: str) -> None:
    with pytest.raises(error, match=complaint):
        make()


def test_what_may_be() -> None:
    for number in (None, 0, 2):
        assert trigger(max_action_concurrency=number).max_action_concurrency == number
    assert flyte.OnArtifact("a", "1", {"x": "y"}, region="eu").partitions == {"x": "y", "region": "eu"}
    assert flyte.OnArtifact("a").partitions is None
    assert flyte.FixedRate(1, datetime(2026, 1, 1, tzinfo=UTC)).interval_minutes == 1


def test_what_is_made_does_not_change() -> None:
    inputs = {"x": 1}
    labels = {"a": "b"}
    made = trigger(inputs=inputs, labels=labels)
    inputs["x"] = 2
    labels["a"] = "c"
    assert (made.inputs, made.labels) == ({"x": 1}, {"a": "b"})
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        made.name = "other"  # type: ignore[misc]  # that is the point
    assert hash(made) == hash(trigger(inputs={"x": 1}, labels={"a": "b"}))


def test_markers_stay_what_they_are() -> None:
    made = trigger(automation=CRON, inputs={"x": flyte.TriggerTime})
    for again in (copy.deepcopy(made), pickle.loads(pickle.dumps(made)), attrs.evolve(made)):
        assert again == made and again.inputs is not None and again.inputs["x"] is flyte.TriggerTime
    assert repr(flyte.TriggerTime) == "flyte.TriggerTime"
    assert repr(flyte.TriggeredArtifact) == "flyte.TriggeredArtifact"


@pytest.mark.parametrize(
    "name, expression",
    [
        ("minutely", "* * * * *"),
        ("hourly", "0 * * * *"),
        ("daily", "0 0 * * *"),
        ("weekly", "0 0 * * 0"),
        ("monthly", "0 0 1 * *"),
    ],
)
def test_ready_made_triggers(name: str, expression: str) -> None:
    make = getattr(flyte.Trigger, name)
    made = make()
    assert (made.name, made.automation, made.inputs) == (name, flyte.Cron(expression), None)
    assert made.description
    own = make("day", name="mine", timezone="Asia/Tokyo", inputs={"x": 1}, queue="q", description="")
    assert (own.name, own.automation, own.queue) == ("mine", flyte.Cron(expression, "Asia/Tokyo"), "q")
    assert (own.inputs, own.description) == ({"day": flyte.TriggerTime, "x": 1}, "")
    with pytest.raises(TypeError, match="automation"):
        make(automation=None)
