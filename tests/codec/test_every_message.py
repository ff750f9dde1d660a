"""Every message type below protos/, against Google's library: bytes and JSON in both directions, and broken bytes."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

import betterproto2
import pytest
from google.protobuf import json_format
from google.protobuf.message import DecodeError as GoogleDecodeError

from codec.oracle import Builder, Pair, accepted, canonical, flyte_pairs, peculiar, touch
from flyte_rpc.codec.message import Message

FILES = sorted({pair.file for pair in flyte_pairs()})
BUILDS = 12


def of_file(file: str) -> Iterable[Pair]:
    return [pair for pair in flyte_pairs() if pair.file == file]


def test_all_definitions_are_covered() -> None:
    assert len(flyte_pairs()) > 500
    assert all(issubclass(pair.ours, Message) for pair in flyte_pairs())
    assert all(pair.full_name == pair.ours.FULL_NAME for pair in flyte_pairs())


@pytest.mark.parametrize("file", FILES)
def test_what_google_writes_we_read_and_write_again(file: str) -> None:
    for pair in of_file(file):
        builder = Builder(pair.full_name)
        for _ in range(BUILDS):
            theirs = builder.build(pair.theirs)
            data = theirs.SerializeToString(deterministic=True)
            untouched = pair.ours.parse(data)
            assert canonical(pair, bytes(untouched)) == data
            touched = pair.ours.parse(data)
            touch(touched)
            assert canonical(pair, bytes(touched)) == data
            assert touched == untouched


@pytest.mark.parametrize("file", FILES)
def test_json_is_what_google_makes_and_takes(file: str) -> None:
    for pair in of_file(file):
        builder = Builder(pair.full_name, json=True)
        pool = pair.theirs.DESCRIPTOR.file.pool
        for _ in range(BUILDS):
            theirs = builder.build(pair.theirs)
            ours = pair.ours.parse(theirs.SerializeToString())
            json = json_format.MessageToDict(theirs, descriptor_pool=pool)
            assert ours.to_dict() == json
            snake = json_format.MessageToDict(theirs, preserving_proto_field_name=True, descriptor_pool=pool)
            assert ours.to_dict(casing=betterproto2.Casing.SNAKE) == snake
            full = json_format.MessageToDict(theirs, always_print_fields_with_no_presence=True, descriptor_pool=pool)
            assert ours.to_dict(include_default_values=True) == full
            expected = json_format.ParseDict(json, pair.theirs(), descriptor_pool=pool)
            expected = expected.SerializeToString(deterministic=True)
            for form in (json, snake, full):
                assert canonical(pair, bytes(pair.ours.from_dict(form))) == expected


@pytest.mark.parametrize("file", FILES)
def test_python_values_are_taken_back(file: str) -> None:
    for pair in of_file(file):
        theirs = Builder(f"python {pair.full_name}", json=True).build(pair.theirs)
        ours = pair.ours.parse(theirs.SerializeToString())
        plain = ours.to_dict(output_format=betterproto2.OutputFormat.PYTHON)
        again = pair.ours.from_dict(plain)
        # Datetimes and timedeltas have microseconds, so compare what both keep of them.
        assert again.to_dict(output_format=betterproto2.OutputFormat.PYTHON) == plain


def mutated(data: bytes, random: Random) -> bytes:
    out = bytearray(data)
    for _ in range(random.randint(1, 3)):
        at = random.randrange(len(out) + 1)
        match random.randrange(5):
            case 0:
                out[at : at + 1] = bytes([random.randrange(256)])
            case 1:
                out[at:at] = bytes(random.choices([0, 1, 8, 10, 11, 12, 18, 127, 128, 255], k=random.randint(1, 4)))
            case 2:
                del out[at : at + random.randint(1, 8)]
            case 3:
                del out[at:]
            case _:
                start = random.randrange(len(out) + 1)
                out[at:at] = out[start : start + 12]
    return bytes(out)


def same_verdict(pair: Pair, data: bytes) -> bool:
    """Check that both accept the bytes with equal results, or both refuse them. Return whether we accept them."""
    ours = accepted(pair, data)
    try:
        theirs = pair.theirs.FromString(data)
    except GoogleDecodeError:
        theirs = None
    if not peculiar(pair.theirs.DESCRIPTOR, data):
        what = f"{pair.full_name} of {data.hex()}"
        assert (ours is None) == (theirs is None), f"only {'they' if ours is None else 'we'} accept {what}"
        assert ours is None or pair.theirs.FromString(bytes(ours)) == theirs, f"other meaning: {what}"
    return ours is not None


@pytest.mark.parametrize("file", FILES)
def test_broken_bytes_are_refused_or_mean_what_they_mean_to_google(file: str) -> None:
    verdicts: list[bool] = []
    for pair in of_file(file):
        random = Random(pair.full_name)
        for _ in range(3):
            data = Builder(f"mutated {pair.full_name} {random.random()}").build(pair.theirs).SerializeToString()
            verdicts += [same_verdict(pair, mutated(data, random)) for _ in range(12)]
    assert len(verdicts) < 200 or 0.1 < sum(verdicts) / len(verdicts) < 0.99, "the mutations test only one side"


@pytest.mark.parametrize("file", FILES)
def test_a_message_cut_at_any_byte_is_refused_where_google_refuses_it(file: str) -> None:
    for pair in of_file(file):
        samples = (Builder(f"cut {pair.full_name} {i}").build(pair.theirs).SerializeToString() for i in range(20))
        data = max((sample for sample in samples if len(sample) < 400), key=len, default=b"")
        for end in range(len(data)):
            same_verdict(pair, data[:end])
