"""Fields of every kind, in every form they can have on the wire."""

from __future__ import annotations

from random import Random

from google.protobuf import json_format

from codec.oracle import Builder, Pair, canonical, touch
from codec.test_every_message import mutated, same_verdict


def test_values_go_through_bytes_both_ways(everything_types: dict[str, Pair]) -> None:
    for pair in everything_types.values():
        builder = Builder(pair.full_name)
        for _ in range(60):
            data = builder.build(pair.theirs).SerializeToString(deterministic=True)
            message = pair.ours.parse(data)
            assert canonical(pair, bytes(message)) == data
            touch(message)
            assert canonical(pair, bytes(message)) == data


def test_values_go_through_json_both_ways(everything_types: dict[str, Pair]) -> None:
    for pair in everything_types.values():
        builder = Builder(pair.full_name, json=True)
        for _ in range(60):
            theirs = builder.build(pair.theirs)
            json = json_format.MessageToDict(theirs)
            assert pair.ours.parse(theirs.SerializeToString()).to_dict() == json
            again = pair.ours.from_dict(json)
            expected = json_format.ParseDict(json, pair.theirs()).SerializeToString(deterministic=True)
            assert canonical(pair, bytes(again)) == expected


def test_broken_bytes(everything: Pair) -> None:
    random = Random(3)
    builder = Builder("broken")
    data = [builder.build(everything.theirs).SerializeToString() for _ in range(40)]
    verdicts = [same_verdict(everything, mutated(random.choice(data), random)) for _ in range(800)]
    assert 20 < sum(verdicts) < 780, "the mutations test only one side"
