"""Enums: members without prefix, unknown numbers, and JSON names."""

from __future__ import annotations

import copy
import enum
import pickle
from typing import Any

import pytest

from codec.oracle import flyte
from flyte_api.messages.flyteidl2.common.phase import ActionPhase


def test_members_are_numbers_without_their_prefix() -> None:
    assert ActionPhase.QUEUED == 1
    assert isinstance(ActionPhase.QUEUED, enum.IntEnum)
    assert ActionPhase.QUEUED.name == "QUEUED"
    assert str(ActionPhase.QUEUED) == "QUEUED"
    assert ActionPhase.QUEUED.proto_name == "ACTION_PHASE_QUEUED"
    assert ActionPhase.from_string("QUEUED") is ActionPhase(1) is ActionPhase["QUEUED"]
    with pytest.raises(ValueError, match="NOPE"):
        ActionPhase.from_string("NOPE")


def test_numbers_that_are_not_known_are_values_without_a_name() -> None:
    unknown = ActionPhase(99)
    assert (unknown, unknown.value, unknown.name, unknown.proto_name) == (99, 99, "", None)
    assert isinstance(unknown, ActionPhase)
    assert unknown == ActionPhase(99) != ActionPhase(98)
    assert hash(unknown) == hash(ActionPhase(99)) == hash(99)
    assert {unknown: 1}[99] == 1
    assert unknown > ActionPhase.QUEUED
    assert "99" in repr(unknown)
    assert "99" in str(unknown)
    assert unknown not in list(ActionPhase)
    for again in (pickle.loads(pickle.dumps(unknown)), copy.deepcopy(unknown)):
        assert again == unknown
    with pytest.raises(ValueError, match="text"):
        ActionPhase("text")


def test_aliases_and_odd_names(Everything: Any, Colour: Any) -> None:
    assert Colour.CRIMSON is Colour.RED
    assert Colour.DARK == -5
    assert Colour["True_"].proto_name == "COLOUR_True"
    assert Colour.RED.proto_name == "COLOUR_RED"
    assert Everything(one_colour=Colour.CRIMSON).to_dict() == {"oneColour": "COLOUR_RED"}
    assert Everything.from_dict({"oneColour": "COLOUR_CRIMSON"}).one_colour is Colour.RED
    assert Everything.from_dict({"oneColour": "COLOUR_True"}).one_colour == 7


def test_json(Everything: Any, Colour: Any) -> None:
    message = Everything(one_colour=50, many_colour=[1, -5, 51], by_name_colour={"a": 1})
    json = {
        "oneColour": 50,
        "manyColour": ["COLOUR_RED", "COLOUR_DARK", 51],
        "byNameColour": {"a": "COLOUR_RED"},
    }
    assert message.to_dict() == json
    assert Everything.from_dict(json) == message
    for form in (1, "1", 1.0, "COLOUR_RED", "RED"):
        assert Everything.from_dict({"oneColour": form}).one_colour is Colour.RED
    for wrong in ("COLOUR_PUCE", 1.5, True, [], {}, 2**31):
        with pytest.raises(ValueError, match=r"one_?[cC]olour"):
            Everything.from_dict({"oneColour": wrong})
    plain_list = Everything(many_colour=[1])
    plain_list.many_colour.append(2)
    assert plain_list.to_dict() == {"manyColour": ["COLOUR_RED", 2]}


def test_fields_read_as_members(Everything: Any, Colour: Any) -> None:
    message = Everything.parse(
        bytes(Everything(one_colour=1, maybe_colour=0, many_colour=[1], by_name_colour={"a": 1}))
    )
    assert message.one_colour is message.many_colour[0] is message.by_name_colour["a"] is Colour.RED
    assert message.maybe_colour is Colour.NONE
    assert Everything().maybe_colour is None
    assert Everything().one_colour is Colour.NONE


def test_null_value_is_null(Everything: Any) -> None:
    theirs = flyte("google.protobuf.Value").theirs(null_value=0)
    assert flyte("google.protobuf.Value").ours.parse(theirs.SerializeToString()).to_dict() is None
    assert Everything.from_dict({"nothing": None}) == Everything()
    assert Everything(nothing=0).to_dict(include_default_values=True)["nothing"] is None
