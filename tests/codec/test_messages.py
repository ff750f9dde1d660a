"""Messages as Python objects: construction, changes, comparison, copies and repr."""

from __future__ import annotations

import copy
import io
import pickle
import sys
import threading
from typing import Any

import betterproto2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codec.oracle import Builder, Pair, touch
from flyte_rpc.codec.message import Message, which_one_of
from flyte_rpc.codec.wire import DecodeError, EncodeError, put_varint


class Index:
    """A number of another library: not an int, but usable as one."""

    def __index__(self) -> int:
        return 5


def test_fields_start_at_their_defaults(Everything: Any, Colour: Any) -> None:
    message = Everything()
    assert (message.one_int32, message.one_double, message.one_string) == (0, 0.0, "")
    assert (message.one_bytes, message.one_bool, message.one_colour) == (b"", False, Colour.NONE)
    assert message.one_leaf is message.maybe_int32 is message.maybe_colour is message.pick_leaf is None
    assert message.many_int32 == message.many_leaf == message.many_colour == []
    assert message.by_name_int32 == message.by_name_leaf == {}
    assert bytes(message) == b""
    assert not message


def test_lists_and_maps_change_in_place(Everything: Any, Leaf: Any) -> None:
    message = Everything()
    message.many_string.append("a")
    message.many_leaf.append(Leaf(size=1))
    message.by_name_int32["k"] = 2
    again = Everything.parse(bytes(message))
    assert (again.many_string, again.many_leaf, again.by_name_int32) == (["a"], [Leaf(size=1)], {"k": 2})


def test_a_message_owns_its_lists_and_maps(Everything: Any) -> None:
    mine, entries = ["a"], {"k": 1}
    message = Everything(many_string=mine, by_name_int32=entries)
    mine.append("b")
    entries["l"] = 2
    assert (message.many_string, message.by_name_int32) == (["a"], {"k": 1})
    message.many_string = (text for text in "xy")
    assert message.many_string == ["x", "y"]


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"one_strin": "a"}, "Everything has no field 'one_strin'; did you mean 'one_string'"),
        ({"zzz": 1}, "Everything has no field 'zzz'; it has one_double, "),
    ],
)
def test_a_misspelt_field_is_refused(Everything: Any, values: dict[str, Any], complaint: str) -> None:
    with pytest.raises(TypeError, match=complaint):
        Everything(**values)
    with pytest.raises(AttributeError, match=complaint):
        setattr(Everything(), *next(iter(values.items())))
    with pytest.raises(AttributeError, match=complaint):
        Everything().is_set(next(iter(values)))


def test_fields_are_given_by_name_only(Leaf: Any) -> None:
    with pytest.raises(TypeError):
        Leaf(1)


def test_only_one_member_of_a_oneof_is_taken(Everything: Any) -> None:
    with pytest.raises(ValueError, match=r"only one of pick_int32 and pick_string \(oneof choice\)"):
        Everything(pick_int32=0, pick_string="")
    assert Everything(pick_int32=None, pick_string="").pick_string == ""


WRONG = [
    ("one_int32", "1", "int32, not str"),
    ("one_int32", 1.0, "int32, not float"),
    ("one_int32", True, "int32, not bool"),
    ("one_int32", 2**31, "2147483648 is not between -2147483648 and 2147483647"),
    ("one_uint32", -1, "-1 is not between 0 and 4294967295"),
    ("one_int64", 2**63, "is not between"),
    ("one_fixed64", -1, "is not between"),
    ("one_bool", 1, "bool, not int"),
    ("one_string", b"a", "string, not bytes"),
    ("one_string", "\ud800", "string: 'utf-8' codec can't encode"),
    ("one_bytes", "a", "bytes, not str"),
    ("one_bytes", 5, "bytes, not int"),
    ("one_double", "1.5", "double, not str"),
    ("one_double", True, "double, not bool"),
    ("one_double", 10**400, "double: int too large"),
    ("one_colour", "RED", "Colour, not str"),
    ("one_colour", 2**40, "Colour: 1099511627776 is not between"),
    ("one_leaf", {"size": 1}, "Leaf, not dict"),
    ("one_leaf", b"", "Leaf, not bytes"),
    ("many_string", "text", "sequence, not str"),
    ("many_string", 5, "sequence, not int"),
    ("many_string", {"a": 1}, "sequence, not dict"),
    ("many_string", ["a", 5], "string, not int"),
    ("many_int32", b"ab", "sequence, not bytes"),
    ("many_int32", [1, None], "int32, not NoneType"),
    ("many_colour", [1, "RED"], "Colour, not str"),
    ("many_leaf", [None], "Leaf, not NoneType"),
    ("by_name_int32", [("a", 1)], "mapping, not list"),
    ("by_name_int32", {1: 1}, "string, not int"),
    ("by_name_int32", {"a": "b"}, "int32, not str"),
    ("by_name_leaf", {"a": 1}, "Leaf, not int"),
    ("by_name_colour", {"a": "RED"}, "Colour, not str"),
    ("maybe_int32", "1", "int32, not str"),
    ("pick_leaf", 1, "Leaf, not int"),
]


@pytest.mark.parametrize(("name", "value", "complaint"), WRONG)
def test_values_of_the_wrong_type_are_refused(Everything: Any, name: str, value: object, complaint: str) -> None:
    for error in (TypeError, ValueError):
        with pytest.raises(error, match=complaint) as caught:
            Everything(**{name: value})
        assert str(caught.value).startswith(f"Everything.{name} takes ")
    message = Everything(one_string="before")
    with pytest.raises(EncodeError):
        setattr(message, name, value)
    assert message == Everything(one_string="before")


def test_refusals_do_not_show_values(Everything: Any) -> None:
    with pytest.raises(EncodeError) as caught:
        Everything(one_bytes="hunter2")
    assert "hunter2" not in str(caught.value)
    with pytest.raises(ValueError, match="takes bytes") as refused:
        Everything.from_dict({"oneBytes": {"secret": "hunter2"}})
    assert "hunter2" not in str(refused.value)


def test_values_of_related_types_are_taken_and_kept_plain(Everything: Any, Colour: Any) -> None:
    message = Everything(one_int32=Index(), one_double=3, one_bytes=bytearray(b"a"), one_int64=Colour.RED, one_colour=1)
    assert (message.one_int32, message.one_double, message.one_bytes) == (5, 3.0, b"a")
    assert [type(v) for v in (message.one_int32, message.one_double, message.one_bytes)] == [int, float, bytes]
    assert type(message.one_int64) is int
    assert message.one_colour is Colour.RED


def test_floats_are_rounded_to_32_bits_at_once(Everything: Any) -> None:
    message = Everything(one_float=0.1, many_float=[0.1], by_name_float={"a": 1e300})
    assert message == Everything.parse(bytes(message))
    assert message.one_float != 0.1
    assert message.by_name_float == {"a": float("inf")}


def test_assignment_moves_a_oneof(Everything: Any, Leaf: Any) -> None:
    message = Everything.parse(bytes(Everything(pick_leaf=Leaf(size=1), maybe_int32=0)))
    message.pick_int32 = 0
    assert which_one_of(message, "choice") == ("pick_int32", 0)
    assert message.pick_leaf is None
    message.pick_leaf = Leaf()
    assert which_one_of(message, "choice") == ("pick_leaf", Leaf())
    message.pick_string = None
    assert which_one_of(message, "choice") == ("pick_leaf", Leaf())
    del message.pick_leaf
    assert which_one_of(message, "choice") == ("", None)
    assert message.maybe_int32 == 0
    with pytest.raises(AttributeError, match="no oneof 'other'"):
        which_one_of(message, "other")


def test_none_clears_a_field(Everything: Any, Leaf: Any) -> None:
    message = Everything(one_leaf=Leaf(), one_string="a", many_int32=[1], maybe_int32=0, by_name_int32={"a": 1})
    for name in ("one_leaf", "one_string", "many_int32", "maybe_int32", "by_name_int32"):
        setattr(message, name, None)
    assert message == Everything()
    assert bytes(message) == b""


def test_presence(Everything: Any, Leaf: Any) -> None:
    message = Everything(maybe_int32=0, one_leaf=Leaf(), many_int32=[0], pick_string="", one_double=-0.0, one_int32=0)
    assert set(message.present()) == {"one_double", "maybe_int32", "many_int32", "one_leaf", "pick_string"}
    assert dict(message.set_fields())["pick_string"] == ""
    parsed = Everything.parse(bytes(message))
    assert list(parsed.present()) == list(message.present())
    assert parsed.is_set("one_leaf")
    assert not parsed.is_set("many_leaf")
    assert bool(message) is True
    assert vars(parsed).keys().isdisjoint({"one_leaf"}), "asking for presence decodes nothing"


def test_equality(Everything: Any, Leaf: Any) -> None:
    nan = float("nan")
    full = {"one_double": nan, "many_float": [nan, 1.0], "by_name_double": {"a": nan}, "many_leaf": [Leaf(size=1)]}
    assert Everything(**full) == Everything(**full)
    assert Everything(**full) == Everything.parse(bytes(Everything(**full)))
    different = [
        {"one_double": 1.0},
        {"many_float": [nan]},
        {"many_float": [nan, 2.0]},
        {"by_name_double": {"b": nan}},
        {"by_name_double": {"a": 1.0}},
        {"many_leaf": []},
        {"many_leaf": [Leaf(size=2)]},
        {"one_leaf": Leaf()},
        {"maybe_int32": 0},
        {"pick_int32": 0},
    ]
    for change in different:
        assert Everything(**full) != Everything(**{**full, **change})
        assert Everything(**{**full, **change}) != Everything(**full)
    assert Leaf() != Everything()
    assert Leaf() != 5
    read, unread = Everything(), Everything()
    assert read.many_int32 == []
    assert read == unread
    with pytest.raises(TypeError, match="unhashable"):
        hash(Leaf())


def test_equality_finds_malformed_parts(Everything: Any, Leaf: Any) -> None:
    data = put_varint(Everything.specs()["one_leaf"].number << 3 | 2) + b"\x01\x08"
    with pytest.raises(DecodeError):
        _ = Everything.parse(data) == Everything(one_leaf=Leaf())


def test_repr_is_the_call_that_makes_it(Everything: Any, Leaf: Any, Colour: Any) -> None:
    message = Everything(
        one_string="a", one_colour=1, many_leaf=[Leaf(size=1), Leaf()], by_name_leaf={"k": Leaf(name="n")}, pick_int32=0
    )
    shown = repr(Everything.parse(bytes(message)))
    assert eval(shown.replace("<Colour.RED: 1>", "1"), {"Everything": Everything, "Leaf": Leaf}) == message
    assert shown.startswith("Everything(")
    assert "one_string='a'" in shown
    assert repr(Everything()) == "Everything()"


def test_copies(Everything: Any, Leaf: Any) -> None:
    original = Everything.parse(
        bytes(Everything(many_int32=[1], one_leaf=Leaf(size=1), by_name_int32={"a": 1})) + b"\xa0\x7f\x01"
    )
    touch(original)
    shallow, deep = copy.copy(original), copy.deepcopy(original)
    assert shallow == deep == original
    assert shallow._unknown_fields == deep._unknown_fields == original._unknown_fields != b""
    shallow.many_int32.append(2)
    shallow.by_name_int32["b"] = 2
    shallow.one_string = "s"
    deep.one_leaf.size = 9
    assert (original.many_int32, original.by_name_int32, original.one_string) == ([1], {"a": 1}, "")
    assert original.one_leaf.size == 1
    assert shallow.one_leaf is original.one_leaf


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles(everything: Pair, protocol: int) -> None:
    message = everything.ours.parse(Builder("pickle").build(everything.theirs).SerializeToString())
    assert pickle.loads(pickle.dumps(message, protocol)) == message


def test_what_cannot_be_encoded_is_named_by_its_path(Everything: Any, Leaf: Any) -> None:
    message = Everything(from_=[Everything(), Everything(by_name_leaf={"a": Leaf(), "b": Leaf()})])
    inner = Everything()
    inner.many_string.append("\ud800")
    message.from_[1].from_.append(inner)
    with pytest.raises(EncodeError, match=r"^Everything\.from_\.from_\.many_string: 'utf-8' codec can't encode"):
        bytes(message)
    message = Everything(one_string="a")
    message.many_leaf.append("not a leaf")
    for use in (bytes, Everything.to_dict):
        with pytest.raises(EncodeError, match=r"^Everything\.many_leaf: "):
            use(message)
    message = Everything()
    message.many_int32.append(2**40)
    with pytest.raises(EncodeError, match=r"^Everything\.many_int32: 1099511627776 is not between"):
        bytes(message)


def test_load_merges_from_a_stream(Everything: Any, Leaf: Any) -> None:
    message = Everything(many_int32=[1], one_leaf=Leaf(size=1))
    more = Everything(many_int32=[2], one_leaf=Leaf(name="n"))
    stream = io.BytesIO()
    more.dump(stream, delimit=True)
    more.dump(stream)
    stream.seek(0)
    expected = Everything(many_int32=[1, 2], one_leaf=Leaf(size=1, name="n"))
    assert message.load(stream, betterproto2.SIZE_DELIMITED) == expected
    assert Everything().load(stream) == more
    for cut in (b"", b"\x80", b"\x05abc"):
        with pytest.raises(DecodeError, match="the data ends"):
            Everything().load(io.BytesIO(cut), betterproto2.SIZE_DELIMITED)
    with pytest.raises(DecodeError, match="more than 32 bits"):
        Everything().load(io.BytesIO(b"\xff" * 9), betterproto2.SIZE_DELIMITED)


def test_subclasses_work_as_their_base(Everything: Any, Leaf: Any) -> None:
    class Mine(Leaf):  # type: ignore[misc]
        def twice(self) -> int:
            return 2 * int(self.size)

    mine = Mine(size=2)
    assert mine.twice() == 4
    assert bytes(mine) == bytes(Leaf(size=2))
    assert Everything(one_leaf=mine).one_leaf is mine

    class Wider(Everything):  # type: ignore[misc]
        pass

    assert Wider.parse(bytes(Wider(one_leaf=mine, many_colour=[1]))).one_leaf == Leaf(size=2)


def test_first_reads_of_several_threads_agree(everything: Pair) -> None:
    data = Builder("threads 3").build(everything.theirs).SerializeToString()
    names = [name for name, spec in everything.ours.specs().items() if spec.kind in ("message", "enum")]
    names += [name for name, spec in everything.ours.specs().items() if spec.label in ("repeated", "map")]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(150):
            message, start = everything.ours.parse(data), threading.Barrier(4)
            seen: list[list[Any]] = []

            def read(message: Message = message, start: threading.Barrier = start, seen: list[Any] = seen) -> None:
                start.wait(30)
                found = [getattr(message, name) for name in names]
                bytes(message)
                seen.append(found)

            threads = [threading.Thread(target=read) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(30)
            assert len(seen) == 4
            for others in seen[1:]:
                assert all(a is b for a, b in zip(seen[0], others, strict=True))
            assert everything.theirs.FromString(bytes(message)) == everything.theirs.FromString(data)
    finally:
        sys.setswitchinterval(interval)


@settings(max_examples=200, deadline=None)
@given(
    st.integers(-(2**31), 2**31 - 1),
    st.text(),
    st.binary(),
    st.floats(),
    st.lists(st.integers(0, 2**64 - 1)),
    st.dictionaries(st.text(), st.integers(-(2**63), 2**63 - 1)),
)
def test_any_values_come_back(
    everything: Pair,
    number: int,
    text: str,
    data: bytes,
    real: float,
    numbers: list[int],
    entries: dict[str, int],
) -> None:
    values: dict[str, Any] = {
        "one_sint32": number,
        "one_string": text,
        "pick_bytes": data,
        "maybe_double": real,
        "many_uint64": numbers,
        "by_name_sfixed64": entries,
    }
    message = everything.ours(**values)
    again = everything.ours.parse(bytes(message))
    assert again == message
    assert repr(again) == repr(message)
    assert everything.theirs.FromString(bytes(message)) == everything.theirs.FromString(
        everything.theirs(**values).SerializeToString()
    )
