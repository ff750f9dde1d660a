"""Hashes of messages: equal messages have equal hashes, wherever their maps are."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable

import pytest

from flyte import _hashing as hashing
from flyte.devbox.data.hashing import _FNV_64, _fnv1a, fnv64a
from flyte_api.messages.flyteidl2.core.literals import (
    Literal,
    LiteralCollection,
    LiteralMap,
    Primitive,
    Scalar,
    Union,
)
from flyte_api.messages.flyteidl2.core.types import LiteralType, SimpleType
from flyte_api.messages.flyteidl2.task.common import Inputs, NamedLiteral
from flyte_api.messages.google.protobuf.struct import Struct

NUMBER = Literal(scalar=Scalar(primitive=Primitive(integer=1)))


def mapping(names: str) -> Literal:
    return Literal(map=LiteralMap(literals=dict.fromkeys(names, NUMBER)))


def union(value: Literal) -> Literal:
    return Literal(scalar=Scalar(union=Union(value=value, type=LiteralType(simple=SimpleType.STRUCT))))


PLACES: dict[str, Callable[[str], Literal]] = {
    "top": mapping,
    "list": lambda names: Literal(collection=LiteralCollection(literals=[NUMBER, mapping(names)])),
    "map": lambda names: Literal(map=LiteralMap(literals={"k": mapping(names)})),
    "union": lambda names: union(mapping(names)),
    "struct": lambda names: Literal(scalar=Scalar(generic=Struct.of({"x": [dict.fromkeys(names, 1)]}))),
    "metadata": lambda names: Literal(metadata=dict.fromkeys(names, "v")),
    "type": lambda names: Literal(
        scalar=Scalar(union=Union(value=NUMBER, type=LiteralType(metadata=Struct.of(dict.fromkeys(names, 1)))))
    ),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("parsed", [True, False])
def test_the_order_of_maps_does_not_matter(place: str, parsed: bool) -> None:
    def inputs(names: str) -> Inputs:
        made = Inputs(literals=[NamedLiteral(name="x", value=PLACES[place](names))])
        return Inputs.parse(bytes(made)) if parsed else made

    ordered, shuffled = inputs("abcd"), inputs("dbca")
    before = bytes(shuffled)
    assert hashing.canonical(shuffled) == hashing.canonical(ordered) == bytes(inputs("abcd"))
    assert before != bytes(ordered) and bytes(shuffled) == before, "the message itself stays as it is"
    assert hashing.canonical(inputs("abce")) != hashing.canonical(ordered)


def test_parts_without_maps_are_not_walked() -> None:
    number = Literal.parse(bytes(NUMBER))
    hashing.canonical(Inputs(literals=[NamedLiteral(name="x", value=number)]))
    assert number.scalar is not None
    assert "*primitive" in vars(number.scalar), "it was decoded"


LENGTHS = [1 << 18, (1 << 18) + 1, (1 << 18) + 65_535, 5 * 65_536, 400_001]


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("kind", ["random", "zeros", "ones", "text"])
def test_long_data_has_the_same_hash_with_and_without_numpy(kind: str, length: int) -> None:
    pytest.importorskip("numpy", reason="NumPy is missing; install flyte-remote[numpy]")
    makers: dict[str, Callable[[int], bytes]] = {
        "random": random.Random(7).randbytes,
        "zeros": bytes,
        "ones": lambda size: b"\xff" * size,
        "text": lambda size: (b"a few words, " * size)[:size],
    }
    data = makers[kind](length)
    assert fnv64a(data) == _fnv1a(data, *_FNV_64)


def test_long_data_needs_no_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)
    monkeypatch.delitem(sys.modules, "flyte.devbox.data.vectorized_fnv", raising=False)
    data = b"a few words, " * 30_000
    assert fnv64a(data) == _fnv1a(data, *_FNV_64)
