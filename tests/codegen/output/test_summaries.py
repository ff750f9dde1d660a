"""Functions that build the message of a listing from the details of the same resource."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from flyte_codegen.diagnostics import Diagnostic
from support.fragments import Fragment, proto

BODY = """
message Plant { string id = 1; Status status = 2; map<string, string> labels = 3; repeated string words = 4; Leaf leaf = 5; }
message PlantDetails {
  string id = 1; StatusDetails status = 2; map<string, int32> labels = 3; repeated string words = 4; LeafDetails leaf = 5;
}
message Status { int32 phase = 1; Moment at = 2; }
message StatusDetails { int32 phase = 1; Moment at = 2; string message = 3; }
message Moment { int64 seconds = 1; }
message Leaf { Leaf next = 1; }
message LeafDetails { LeafDetails next = 1; }
message Stranger { bool id = 1; }
message Unlucky { string id = 1; bool details = 2; }
"""
TOML = """
[entities.Plant]
message = "test.Plant"
identity = "id"
summary_of = "test.PlantDetails"
"""


def test_fields_of_the_details_are_copied_and_the_others_are_arguments(fragment: Callable[..., Fragment]) -> None:
    garden = fragment(proto(BODY), TOML).generate()
    types, summary = garden.load("messages.test.test"), garden.load("entities.plant").plant_summary
    details = types.PlantDetails(
        id="fern",
        status=types.StatusDetails(phase=3, at=types.Moment(seconds=9), message="left out"),
        labels={"a": 1},
        words=["x"],
    )
    status = types.Status(phase=3, at=types.Moment(seconds=9))
    for leaf in (None, types.Leaf()):
        made = summary(details, labels={"a": "1"}, leaf=leaf)
        assert made == types.Plant(id="fern", status=status, labels={"a": "1"}, words=["x"], leaf=leaf)
    assert summary(types.PlantDetails(), labels={}, leaf=None) == types.Plant()
    with pytest.raises(TypeError, match="labels"):
        summary(details, leaf=None)


@pytest.mark.parametrize(
    ("toml", "expected"),
    [
        (TOML.replace("PlantDetails", "PlantDetail"), "names test.PlantDetail, which is not a message"),
        (TOML.replace("PlantDetails", "Stranger"), "names test.Stranger, which shares no field with test.Plant"),
        (TOML.replace('test.Plant"', 'test.Unlucky"'), "a field named details"),
    ],
)
def test_what_is_refused(
    toml: str, expected: str, fragment: Callable[..., Fragment], mistakes: Callable[[Fragment], list[Diagnostic]]
) -> None:
    (mistake,) = mistakes(fragment(proto(BODY), toml))
    assert expected in mistake.message


def test_a_summary_is_typed(fragment: Callable[..., Fragment]) -> None:
    annotations: dict[str, Any] = (
        fragment(proto(BODY), TOML).generate().load("entities.plant").plant_summary.__annotations__
    )
    assert annotations == {
        "details": "PlantDetails",
        "labels": "dict[str, str]",
        "leaf": "Leaf | None",
        "return": "Plant",
    }
