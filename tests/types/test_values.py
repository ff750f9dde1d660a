"""Values survive a round trip through literals and bytes; others are refused, with the input's name."""

import datetime as dt
import enum
import math
import pickle
from dataclasses import dataclass
from typing import Any, NewType
from typing import Literal as Choice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyte.types import describe, from_literal, guess_type, literal_type_of, to_literal, unsupported_reason
from flyte_api.messages.flyteidl2.core.literals import (
    Blob,
    Literal,
    Scalar,
)
from flyte_api.messages.flyteidl2.core.types import (
    BlobType,
    EnumType,
    LiteralType,
    SimpleType,
    TypeStructure,
    UnionType,
)


class Color(enum.Enum):
    RED = "r"
    GREEN = "g"


def over_the_wire(value: Any, annotation: Any) -> Any:
    """The value as another process reads it: only bytes and the declared type get there."""
    literal_type = literal_type_of(annotation)
    literal = Literal.parse(bytes(to_literal(value, literal_type, name="x")))
    assert unsupported_reason(literal, literal_type) is None
    return from_literal(literal, LiteralType.parse(bytes(literal_type)))


def same(left: Any, right: Any) -> bool:
    """Equal and of the same types all the way down; NaN equals NaN."""
    if type(left) is not type(right):
        return False
    if isinstance(left, float) and left == 0:
        return left == right and math.copysign(1, left) == math.copysign(1, right)
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    return left == right or (isinstance(left, float) and math.isnan(left) and math.isnan(right))


TEXT = st.text(st.characters(exclude_categories=["Cs"]))
MOMENTS = st.datetimes(dt.datetime(1, 1, 2), dt.datetime(9999, 12, 30), timezones=st.just(dt.UTC))
SPANS = st.timedeltas(dt.timedelta(days=-3652500), dt.timedelta(days=3652500))
# Annotation, and a strategy of its values.
SCALARS: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (int, st.integers(-(2**63), 2**63 - 1)),
    (float, st.floats()),
    (str, TEXT),
    (bool, st.booleans()),
    (None, st.none()),
    (dt.datetime, MOMENTS),
    (dt.date, st.dates()),
    (dt.timedelta, SPANS),
    (bytes, st.binary()),
]
EDGES: dict[Any, list[Any]] = {
    int: [2**63 - 1, -(2**63), 2**53 + 1, 0],
    float: [math.nan, math.inf, -math.inf, -0.0, 5e-324, 1.7976931348623157e308],
    str: ["", "\0", "\U0010ffff"],
    bytes: [b"", b"\x80\x04.", bytes(255), bytes(256), bytes(70_000)],
    dt.datetime: [dt.datetime(1, 1, 1, tzinfo=dt.UTC), dt.datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=dt.UTC)],
    dt.date: [dt.date.min, dt.date.max],
    dt.timedelta: [dt.timedelta(microseconds=-1), dt.timedelta(days=3652500), dt.timedelta(0)],
    list[int]: [[]],
    dict[str, int]: [{}, {"": 1}],
    dict: [{}, {"": {}}, {"a": []}, {1: "x"}, {2**63 - 1: None}],
    tuple[int, ...]: [()],
    set[float]: [set(), {0.5, math.inf}],
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | TEXT | st.floats() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@st.composite
def typed_values(draw: st.DrawFn) -> tuple[Any, Any]:
    """An annotation of nested lists, dicts and options, and a value of it."""
    annotation, values = draw(st.sampled_from([*SCALARS, (dict, st.dictionaries(TEXT, JSON, max_size=3))]))
    for wrapper in draw(st.lists(st.sampled_from(["list", "tuple", "dict", "option"]), max_size=3)):
        if wrapper == "list":
            annotation, values = list[annotation], st.lists(values, max_size=3)
        elif wrapper == "tuple":
            annotation, values = tuple[annotation, ...], st.lists(values, max_size=3).map(tuple)
        elif wrapper == "dict":
            annotation, values = dict[str, annotation], st.dictionaries(TEXT, values, max_size=3)
        elif annotation is not None:
            annotation, values = annotation | None, st.none() | values
    return annotation, draw(values)


@given(typed_values())
def test_every_value_comes_back_equal_and_of_its_type(case: tuple[Any, Any]) -> None:
    annotation, value = case
    assert same(over_the_wire(value, annotation), value)


@pytest.mark.parametrize(("annotation", "value"), [(kind, value) for kind, values in EDGES.items() for value in values])
def test_the_edges_come_back(annotation: Any, value: Any) -> None:
    assert same(over_the_wire(value, annotation), value)
    assert same(over_the_wire([value], list[annotation]), [value])
    assert same(over_the_wire(value, annotation | None), value)


@given(st.sampled_from([set, frozenset]), st.sampled_from([case for case in SCALARS if case[0] is not None]), st.data())
def test_sets_come_back_and_are_written_in_one_order(
    kind: Any, scalar: tuple[Any, st.SearchStrategy[Any]], data: st.DataObject
) -> None:
    annotation, items = kind[scalar[0]], data.draw(st.lists(scalar[1].filter(lambda item: item == item), max_size=4))
    literal_type = literal_type_of(annotation)
    assert over_the_wire(kind(items), annotation) == kind(items)
    assert type(over_the_wire(kind(items), annotation)) is kind
    forward, backward = (to_literal(kind(order), literal_type, name="x") for order in (items, items[::-1]))
    assert bytes(forward) == bytes(backward)


ZONES = st.timedeltas(dt.timedelta(hours=-23, minutes=-59), dt.timedelta(hours=23, minutes=59)).map(dt.timezone)


@given(st.datetimes(dt.datetime(1, 1, 3), dt.datetime(9999, 12, 29), timezones=ZONES))
def test_a_moment_is_the_same_moment_in_utc_whatever_its_offset(moment: dt.datetime) -> None:
    read = over_the_wire(moment, dt.datetime)
    assert read == moment
    assert read.tzinfo is dt.UTC and read.microsecond == moment.astimezone(dt.UTC).microsecond


@given(st.data())
def test_a_union_gives_each_value_back_as_the_variant_it_was(data: st.DataObject) -> None:
    chosen = data.draw(st.lists(st.sampled_from(SCALARS), min_size=2, unique_by=lambda case: str(case[0])))
    annotation = chosen[0][0]
    for kind, _ in chosen[1:]:
        annotation = annotation | kind if annotation is not None else kind | None
    value = data.draw(st.one_of([values for _, values in chosen]))
    assert same(over_the_wire(value, annotation), value)


@pytest.mark.parametrize(
    ("value", "annotation", "tag"),
    [
        (1, int | str, "int"),
        (1.5, float | str, "float"),
        ("a", int | str, "str"),
        (True, int | bool, "bool"),
        (None, int | None, "none"),
        (dt.datetime(2026, 1, 1, tzinfo=dt.UTC), dt.datetime | int, "datetime"),
        (dt.date(2026, 1, 1), dt.datetime | dt.date, "date"),
        (dt.timedelta(1), dt.timedelta | int, "timedelta"),
        ([1], list[int] | int, "Typed List"),
        ({"a": 1}, dict[str, int] | int, "Typed Dict"),
        ({"a": 1}, dict | int, "Typed Dict"),
        (Color.RED, Color | int, "DefaultEnumTransformer"),
    ],
)
def test_a_union_names_its_variant_by_the_tag_other_sdks_look_for(value: Any, annotation: Any, tag: str) -> None:
    union = to_literal(value, literal_type_of(annotation), name="x").scalar.union
    assert union.type.structure.tag == tag


def test_a_union_prefers_the_variant_that_needs_no_conversion() -> None:
    assert over_the_wire(3, float | int) == 3
    assert type(over_the_wire(3, float | int)) is int
    assert type(over_the_wire(3, float | str)) is float
    assert over_the_wire("RED", Color | str) == "RED"
    assert over_the_wire([], list[int] | list[str]) == []


def test_an_enum_takes_members_names_and_its_own_guess() -> None:
    kind = literal_type_of(Color)
    assert kind.enum_type.values == ["RED", "GREEN"]
    guessed = guess_type(kind)
    for value in (Color.RED, "RED", guessed.RED):
        assert to_literal(value, kind, name="x").scalar.primitive.string_value == "RED"
    assert from_literal(to_literal(Color.GREEN, kind, name="x"), kind) is guessed.GREEN


def test_the_guess_of_an_enum_is_one_class_whose_members_can_be_pickled() -> None:
    values = ["a b", "mro", "", "_x_", "__init__", "name", "value", "1st", "v0_mro", "_DynamicEnum__p"]
    first = guess_type(LiteralType(enum_type=EnumType(values=values)))
    second = guess_type(LiteralType.parse(bytes(LiteralType(enum_type=EnumType(values=values)))))
    assert first is second
    assert [member.value for member in first] == values
    assert all(pickle.loads(pickle.dumps(member)) is member for member in first)
    assert first("mro").name == "v1_mro"


def test_choices_of_text_are_an_enum_by_value() -> None:
    kind = literal_type_of(Choice["fast", "slow"])
    assert kind.enum_type.values == ["fast", "slow"]
    assert to_literal("slow", kind, name="x").scalar.primitive.string_value == "slow"


def test_wrapped_annotations_mean_what_they_wrap() -> None:
    from typing import Annotated, Optional

    assert literal_type_of(Annotated[int, "words"]) == literal_type_of(int)
    assert literal_type_of(NewType("UserId", str)) == literal_type_of(str)
    assert literal_type_of(Optional[list[int]]) == literal_type_of(list[int] | None)  # noqa: UP045
    assert literal_type_of(dict) == literal_type_of(dict[str, Any])


def test_a_dataclass_fills_a_json_object() -> None:
    @dataclass
    class Point:
        x: int
        tags: list[str]

    assert over_the_wire({"at": Point(1, ["a"])}, dict) == {"at": {"x": 1, "tags": ["a"]}}
    literal = to_literal(Point(2, []), literal_type_of(dict), name="x")
    assert from_literal(literal) == {"x": 2, "tags": []}


def test_a_literal_is_passed_on_as_it_is() -> None:
    blob = Literal(scalar=Scalar(blob=Blob(uri="s3://b/k")))
    file = LiteralType(blob=BlobType())
    assert to_literal(blob, file, name="x") is blob
    assert to_literal([blob], LiteralType(collection_type=file), name="x").collection.literals == [blob]


CYCLE: dict[str, Any] = {}
CYCLE["again"] = [CYCLE]
DEEP: Any = {}
for _ in range(120):
    DEEP = {"in": DEEP}
PICKLED = LiteralType(simple=SimpleType.BINARY)


@pytest.mark.parametrize(
    ("value", "annotation", "complaint"),
    [
        ([1], tuple[int, ...], r"x: expected tuple\[int, ...\], got list; write tuple\(...\) around it"),
        ([1], set[int], r"x: expected set\[int\], got list; write set\(...\) around it"),
        ({1}, list[int], r"x: expected list\[int\], got set; write list\(...\) around it"),
        ({"a"}, set[int], r"x\{...\}: expected int, got str"),
        ({(1, 2): 1}, dict[str, int], "x: expected keys that are str, got tuple"),
        ({"a": {(1, 2): 1}}, dict, r"x\['a'\]: keys must be str, int or float, this one is tuple"),
        ({"a": {b"k": 1}}, dict, r"x\['a'\]: keys must be str, int or float, this one is bytes"),
        (object(), bytes, "x: expected bytes, got object"),
        (bytes, bytes, "x: expected bytes, got type"),
        (lambda: 1, int, "x: expected int, got function"),
        ([object()], list[int | None], r"x\[0\]: expected int \| None, got object"),
        (True, int, "x: expected int, got bool"),
        (1, bool, "x: expected bool, got int"),
        (1.0, int, "x: expected int, got float"),
        ("1", int, "x: expected int, got str"),
        (None, int, "x: expected int, got None"),
        (1, str, "x: expected str, got int"),
        (True, float, "x: expected float, got bool"),
        (b"a", str, "x: expected str, got bytes"),
        ("a", bytes, "x: expected bytes, got str"),
        ((1, 2), list[int], r"x: expected list\[int\], got tuple; write list\(...\) around it"),
        ([1, "a"], list[int], r"x\[1\]: expected int, got str"),
        ({"k": [None]}, dict[str, list[int]], r"x\['k'\]\[0\]: expected int, got None"),
        ({1: 1}, dict[str, int], "x: expected keys that are str, got int"),
        ("a", int | None, r"x: expected int \| None, got str"),
        (["a"], list[int] | None, r"x\[0\]: expected int, got str"),
        (dt.date(2026, 1, 1), dt.datetime, "x: expected datetime, got date; pass a datetime with a time zone"),
        (dt.datetime(2026, 1, 1, tzinfo=dt.UTC), dt.date, "x: expected date, got datetime"),
        ("BLUE", Color, "x: expected one of 'RED', 'GREEN', got 'BLUE'"),
        (object(), dict, "x: expected dict, got object"),
        ({"a": [object()]}, dict, r"x\['a'\]\[0\]: a dict may hold JSON values.*object is none"),
        ({"a": dt.date(2026, 1, 1)}, dict, r"x\['a'\]: .*date is none"),
    ],
)
def test_a_value_of_another_type_is_refused_by_name(value: Any, annotation: Any, complaint: str) -> None:
    with pytest.raises(TypeError, match=f"^{complaint}"):
        to_literal(value, literal_type_of(annotation), name="x")


@pytest.mark.parametrize(
    ("value", "annotation", "complaint"),
    [
        (2**63, int, "x: an int must fit into 64 bits, this one takes 65"),
        (-(2**63) - 1, int | str, "x: an int must fit into 64 bits, this one takes 65"),
        (2**53 + 1, float, r"x: this int has no exact float; convert it with float\(\)"),
        (dt.datetime(2026, 1, 1), dt.datetime, "x: the datetime has no time zone; add one"),
        (dt.datetime.min.replace(tzinfo=dt.timezone(dt.timedelta(hours=5))), dt.datetime, "x: .*outside the years"),
        (dt.timedelta.max, dt.timedelta, "x: a timedelta must be within 10,000 years"),
        ({"\ud800": 1}, dict[str, int], "x: the text has a lone surrogate"),
        ({"a": {"\udfff": 1}}, dict, r"x\['a'\]: the text has a lone surrogate"),
        (["\ud800"], list[str], r"x\[0\]: the text has a lone surrogate"),
        ({"a": 2**63}, dict, r"x\['a'\]: an int must fit into 64 bits, this one takes 65"),
        (CYCLE, dict, r"x\['again'\]\[0\]: this dict contains itself"),
        (DEEP, dict, r"x(\['in'\])+.* \.\.\. .*(\['in'\])+: values may be nested 100 levels deep"),
    ],
)
def test_a_value_that_cannot_be_written_is_refused_by_name(value: Any, annotation: Any, complaint: str) -> None:
    with pytest.raises(ValueError, match=f"^{complaint}"):
        to_literal(value, literal_type_of(annotation), name="x")


@pytest.mark.parametrize(
    ("value", "literal_type", "complaint"),
    [
        (
            "f",
            LiteralType(blob=BlobType()),
            "x: expected a file, got str; upload from this machine with File.from_local",
        ),
        (b"f", PICKLED, "x: the task expects a pickled object, which this client cannot encode"),
        (1, LiteralType(), "x: expected a value of unknown type, got int"),
        (1, LiteralType(union_type=UnionType()), "x: expected a union of nothing, got int"),
    ],
)
def test_types_without_a_python_form_take_no_python_value(
    value: Any, literal_type: LiteralType, complaint: str
) -> None:
    with pytest.raises(TypeError, match=f"^{complaint}"):
        to_literal(value, literal_type, name="x")


class Fast(enum.Flag):
    A = 1


@pytest.mark.parametrize(
    ("annotation", "complaint"),
    [
        (list, "list has no item type; write for example"),
        (dict[bytes, str], "has keys that are not str"),
        (set, r"set has no item type; write for example set\[int\]"),
        (tuple, r"tuple has no item type; write for example tuple\[int, ...\]"),
        (range, "range has no Flyte type here"),
        (object, "object has no Flyte type here"),
        (Any, "Any has no Flyte type here"),
        ("int", "'int' is text, not a type"),
        (Choice["a", 1], "contains values that are not strings"),
        (Fast, "Fast is a Flag"),
        (list[memoryview], "memoryview has no Flyte type"),
        ([int], "has no Flyte type here"),
    ],
)
def test_an_annotation_without_a_flyte_type_is_refused(annotation: Any, complaint: str) -> None:
    with pytest.raises(TypeError, match=complaint):
        literal_type_of(annotation)


@pytest.mark.parametrize(
    ("literal_type", "words"),
    [
        (literal_type_of(dict[str, list[int | None]]), "dict[str, list[int | None]]"),
        (literal_type_of(dt.date), "date"),
        (literal_type_of(bytes), "bytes"),
        (literal_type_of(dict), "dict"),
        (PICKLED, "a pickled object"),
        (LiteralType(simple=SimpleType(77)), "an unknown type (77)"),
        (LiteralType(simple=SimpleType.INTEGER, structure=TypeStructure(tag="int")), "int"),
    ],
)
def test_types_are_described_as_python_writes_them(literal_type: LiteralType, words: str) -> None:
    assert describe(literal_type) == words
