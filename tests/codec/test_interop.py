"""Generated messages behave like betterproto2 messages and dataclasses."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import betterproto2
import pytest

from codec.oracle import Builder, Pair, flyte_pairs
from flyte_rpc.codec.deprecation import quietly
from flyte_rpc.codec.message import Message, which_one_of


def test_they_are_messages(Everything: Any, Colour: Any) -> None:
    assert issubclass(Everything, betterproto2.Message)
    assert issubclass(Colour, betterproto2.Enum)
    assert dataclasses.is_dataclass(Everything)


def test_every_message_has_the_tables_that_betterproto2_looks_for() -> None:
    for pair in flyte_pairs():
        meta: Any = pair.ours._betterproto
        assert list(meta.meta_by_field_name) == list(pair.ours.specs())
        assert {f.name for f in dataclasses.fields(pair.ours)} == set(pair.ours.specs())
        for name, default in meta.default_gen.items():
            assert default() == quietly(pair.ours(), name)


def test_the_metadata_of_fields(Everything: Any, Colour: Any, Leaf: Any) -> None:
    fields = {f.name: f for f in dataclasses.fields(Everything)}
    metas = {name: f.metadata["betterproto"] for name, f in fields.items()}
    assert metas["one_int32"].proto_type == "int32"
    assert metas["maybe_int32"].optional
    assert metas["many_leaf"].repeated
    assert metas["pick_leaf"].group == "choice"
    assert [m.proto_type for m in metas["by_name_leaf"].map_meta] == ["string", "message"]
    types = {name: f.type for name, f in fields.items()}
    assert types["one_colour"] is Colour
    assert types["many_leaf"] == list[Leaf]
    assert types["by_name_leaf"] == dict[str, Leaf]
    assert types["maybe_bytes"] == bytes | None
    assert types["self_"] == Everything | None
    assert Everything._type_hints()["one_leaf"] == Leaf | None


def test_which_one_of_is_the_same(Everything: Any, Leaf: Any) -> None:
    for values in ({}, {"pick_int32": 0}, {"pick_leaf": Leaf()}):
        for message in (Everything(**values), Everything.parse(bytes(Everything(**values)))):
            name, value = betterproto2.which_one_of(message, "choice")
            assert (name, value) == which_one_of(message, "choice")


def test_is_set_is_the_same(everything: Pair) -> None:
    for seed in range(10):
        message = everything.ours.parse(Builder(f"is_set {seed}").build(everything.theirs).SerializeToString())
        for name in everything.ours.specs():
            expected = betterproto2.Message.is_set(message, name)
            assert message.is_set(name) == expected or getattr(message, name) == 0.0  # negative zero is written


def test_dataclass_functions(Everything: Any, Leaf: Any) -> None:
    message = Everything(one_int32=1, one_leaf=Leaf(size=2), pick_string="a")
    assert dataclasses.replace(message, one_int32=3) == Everything(one_int32=3, one_leaf=Leaf(size=2), pick_string="a")
    assert dataclasses.asdict(message)["one_leaf"] == {"size": 2, "name": ""}


def test_inherited_functions(Everything: Any) -> None:
    message = Everything(one_string="a", many_int32=[1, 2])
    assert Everything.FromString(message.SerializeToString()) == message
    assert json.loads(message.to_json(indent=2)) == message.to_dict() == {"manyInt32": [1, 2], "oneString": "a"}
    assert Everything.from_json(message.to_json().encode()) == message


def test_pydantic_is_not_pretended(Everything: Any) -> None:
    assert not Everything()._is_pydantic()
    with pytest.raises(TypeError):
        Everything()._validate()


def test_attributes_are_listed_for_completion(Everything: Any) -> None:
    assert {"one_int32", "from_", "to_dict"} <= set(dir(Everything()))


def test_every_public_attribute_of_messages_is_kept_from_fields() -> None:
    from flyte_codegen import names

    attributes = {name for name in set(dir(Message)) | {"mro"} if not name.startswith("_")}
    assert attributes <= names.RESERVED_IN_MESSAGE
