"""JSON input that Google's library does not write: what the mapping accepts and refuses."""

from __future__ import annotations

from typing import Any

import pytest


def test_both_names_of_a_field_are_taken(Everything: Any) -> None:
    expected = Everything(one_string="a")
    assert Everything.from_dict({"oneString": "a"}) == Everything.from_dict({"one_string": "a"}) == expected
    assert Everything.from_dict({"taxon": "a"}) == Everything.from_dict({"class": "a"}) == Everything(class_="a")
    assert Everything(class_="a", self_=Everything()).to_dict() == {"taxon": "a", "self": {}}
    with pytest.raises(ValueError, match="oneString twice"):
        Everything.from_dict({"oneString": "a", "one_string": "b"})


def test_names_that_are_not_known(Everything: Any) -> None:
    with pytest.raises(ValueError, match=r"Everything\.oneLeaf has no field 'weight'"):
        Everything.from_dict({"oneLeaf": {"weight": 1}})
    relaxed = Everything.from_dict({"oneLeaf": {"weight": 1, "size": 2}, "x": 1}, ignore_unknown_fields=True)
    assert relaxed.one_leaf.size == 2


def test_null_is_absence(Everything: Any) -> None:
    nulls = dict.fromkeys(("oneString", "oneInt32", "manyLeaf", "byNameInt32", "oneLeaf", "maybeInt32", "pickInt32"))
    assert Everything.from_dict(nulls) == Everything()


@pytest.mark.parametrize(
    ("json", "complaint"),
    [
        ([], "Everything takes an object, not list"),
        ("text", "Everything takes an object, not str"),
        ({"oneLeaf": 5}, "Everything.oneLeaf takes an object, not int"),
        ({"manyLeaf": {}}, "Everything.manyLeaf takes a list, not dict"),
        ({"manyLeaf": [{}, 5]}, r"Everything.manyLeaf\[1\] takes an object, not int"),
        ({"manyLeaf": [None]}, r"Everything.manyLeaf\[0\] takes an object, not null"),
        ({"manyInt32": [1, None]}, r"Everything.manyInt32\[1\] takes int32, not null"),
        ({"manyString": "abc"}, "Everything.manyString takes a list, not str"),
        ({"byNameInt32": []}, "Everything.byNameInt32 takes an object, not list"),
        ({"byNameInt32": {"a": "x"}}, r"Everything.byNameInt32\['a'\] takes int32, not str: it is not a number"),
        ({"byNameLeaf": {"a": {"size": []}}}, r"Everything.byNameLeaf\['a'\].size takes int32, not list"),
        ({"byNameLeaf": {"a": None}}, r"Everything.byNameLeaf\['a'\] takes an object, not null"),
        ({"keyedInt32": {"x": 1}}, "Everything.keyedInt32 takes int32"),
        ({"keyedBool": {"yes": 1}}, "Everything.keyedBool has the key 'yes', which is neither true nor false"),
        ({"oneString": 5}, "Everything.oneString takes string, not int"),
        ({"oneBool": "true"}, "Everything.oneBool takes bool, not str"),
        ({"oneBytes": "***"}, "Everything.oneBytes takes bytes, not str: it is not base64"),
        ({"oneInt32": 1.5}, "Everything.oneInt32 takes int32, not float: it has a fraction"),
        ({"oneInt32": "1_0"}, "Everything.oneInt32 takes int32, not str: it is not a number"),
        ({"oneInt32": " 1"}, "Everything.oneInt32 takes int32, not str: it is not a number"),
        ({"oneInt32": "\uff11"}, "Everything.oneInt32 takes int32, not str: it is not a number"),
        ({"oneInt32": 2**31}, "Everything.one_int32 takes int32: 2147483648 is not between"),
        ({"oneUint64": "1e400"}, "Everything.oneUint64 takes uint64"),
        ({"oneUint64": "9" * 5000}, "Everything.oneUint64 takes uint64"),
        ({"oneDouble": "1_0"}, "Everything.oneDouble takes double, not str: it is not a number"),
        ({"pickInt32": 1, "pickString": "a"}, "only one of pick_int32 and pick_string"),
    ],
)
def test_what_does_not_fit_is_named_by_its_path(Everything: Any, json: Any, complaint: str) -> None:
    with pytest.raises(ValueError, match=f"^(Everything: .*)?{complaint}|^Everything: .*{complaint}"):
        Everything.from_dict(json)


def test_keys_of_maps_are_text_in_json(Everything: Any) -> None:
    message = Everything(keyed_bool={True: 1, False: 2}, keyed_int64={-5: 3})
    json = {"keyedBool": {"true": 1, "false": 2}, "keyedInt64": {"-5": 3}}
    assert message.to_dict() == json
    assert Everything.from_dict(json) == message


def test_numbers_may_be_written_in_any_way(Everything: Any) -> None:
    for form in (100, 100.0, "100", "1e2", "100.0", 1e2):
        assert Everything.from_dict({"oneInt32": form, "oneFixed64": form, "oneDouble": form}) == Everything(
            one_int32=100, one_fixed64=100, one_double=100.0
        )
    big = 2**64 - 1
    assert Everything.from_dict({"oneUint64": str(big)}).one_uint64 == big
    assert Everything(one_uint64=big).to_dict() == {"oneUint64": str(big)}


def test_floats_have_the_fewest_digits(Everything: Any) -> None:
    for number, shown in (
        (0.1, 0.1),
        (3.4028234663852886e38, 3.4028235e38),
        (1e-45, 1.4013e-45),
        (16777216.0, 16777216.0),
    ):
        message = Everything(one_float=number)
        assert message.to_dict() == {"oneFloat": shown}
        assert Everything.from_dict(message.to_dict()) == message


def test_text_that_is_not_json(Everything: Any) -> None:
    with pytest.raises(ValueError, match="Expecting"):
        Everything.from_json("{")
