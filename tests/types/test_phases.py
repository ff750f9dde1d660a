"""Phases and states are lower-case strings, and say so when they are compared with other spellings."""

from __future__ import annotations

import copy
import enum
import pickle
import warnings

import pytest

from flyte.errors import FlyteWarning, PhaseSpellingWarning
from flyte.models import ActionPhase, DeploymentStatus, DesiredState

EVERY = [*ActionPhase, *DeploymentStatus, *DesiredState]


@pytest.mark.parametrize("member", EVERY, ids=repr)
def test_equals_its_value_and_has_its_hash(member: enum.StrEnum) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert member == member.value and member.value == member
        assert (member != member.value) is False
        assert member != "else" and member != 3 and member != None  # noqa: E711
        assert {member.value: 1}[member] == 1 and {member: 1}[member.value] == 1
        assert copy.deepcopy(member) is member and pickle.loads(pickle.dumps(member)) is member


@pytest.mark.parametrize("member", EVERY, ids=repr)
def test_a_name_in_capitals_is_not_equal_and_the_comparison_says_so(member: enum.StrEnum) -> None:
    advice = f"write '{member.value}' or {type(member).__name__}.{member.name}"
    for spelling in (member.name, member.value.title()):
        with pytest.warns(PhaseSpellingWarning, match=advice) as caught:
            assert (member == spelling) is False
            assert spelling != member
            assert member not in (spelling,)
        assert {warning.filename for warning in caught} == {__file__} and len(caught) == 3


def test_programs_can_turn_the_warning_into_an_error() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", FlyteWarning)
        with pytest.raises(PhaseSpellingWarning):
            ActionPhase.FAILED == "FAILED"  # noqa: B015
