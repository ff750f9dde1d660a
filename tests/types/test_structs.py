"""Data classes, tuples and references: in both directions, with and without the class on the reading side."""

import base64
import copy
import datetime as dt
import decimal
import enum
import math
import pathlib
import pickle
import subprocess
import sys
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Generic, NamedTuple, NotRequired, TypedDict, TypeVar
from typing import Literal as Choice

import attrs
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from flyte.types import (
    Dir,
    File,
    StructuredDataset,
    arguments_of,
    from_literal,
    guess_type,
    interface_of,
    literal_type_of,
    literals_to_python,
    result_to_literals,
    to_literal,
    unsupported_reason,
)
from flyte.types.data.msgpack import unpack
from flyte_api.messages.flyteidl2.core.interface import Variable, VariableEntry, VariableMap
from flyte_api.messages.flyteidl2.core.literals import Binary, Blob, BlobMetadata, Literal, Scalar
from flyte_api.messages.flyteidl2.core.types import (
    BlobType,
    LiteralType,
    SimpleType,
    StructuredDatasetType,
    StructuredDatasetTypeDatasetColumn,
    TypeStructure,
)
from flyte_api.messages.flyteidl2.task.common import NamedLiteral
from flyte_api.messages.google.protobuf.struct import Struct


class Color(enum.Enum):
    RED = "r"
    GREEN = "RED"
    """A member with another member's name as value, to distinguish encoding by value and by name."""


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


@dataclass
class Inner:
    b: int
    a: str = "x"


class Pair(NamedTuple):
    x: int
    label: str = "none"


class Options(TypedDict):
    rate: float
    note: NotRequired[str]


@attrs.define
class Point:
    x: int
    _hidden: str = "h"
    tags: list[str] = attrs.field(factory=list)


Held = TypeVar("Held")
Other = TypeVar("Other")


@dataclass
class Holder(Generic[Held]):
    held: Held
    others: dict[str, list[Held] | None]


@dataclass
class Both(Holder[Other], Generic[Other, Held]):
    second: tuple[Other, Held]


@dataclass
class Ints(Holder[int]):
    name: str = "n"


@attrs.define
class Wrapped(Generic[Held]):
    held: Held


class Entry(NamedTuple, Generic[Held]):
    key: str
    held: Held


class Keyed(TypedDict, Generic[Held]):
    held: Held


@dataclass
class Raw:
    raw: bytes
    parts: list[bytes]
    named: dict[str, bytes]
    maybe: bytes | None = None


@dataclass
class Nothing:
    pass


@dataclass
class Tree:
    value: int
    kids: list["Tree"] = field(default_factory=list)


@dataclass
class Everything:
    z: int
    number: float
    text: str
    flag: bool
    raw: bytes
    inner: Inner
    color: Color
    level: Level
    when: dt.datetime
    day: dt.date
    hour: dt.time
    span: dt.timedelta
    mode: Choice["fast", "slow"]
    pair: Pair
    two: tuple[int, str]
    many: tuple[int, ...]
    distinct: set[int]
    frozen: frozenset[str]
    table: dict[str, list[Inner]]
    by_number: dict[int, str]
    either: int | str | Inner
    maybe: Inner | None
    options: Options
    point: Point
    key: uuid.UUID
    price: decimal.Decimal
    path: pathlib.PurePosixPath
    file: File
    anything: Any
    nothing: None = None


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
INTS = st.integers(-(2**63), 2**63 - 1)
ZONES = st.integers(-1439, 1439).map(lambda minutes: dt.timezone(dt.timedelta(minutes=minutes)))
INNERS = st.builds(Inner, INTS, TEXT)
TREES = st.recursive(
    st.builds(Tree, INTS), lambda kids: st.builds(Tree, INTS, st.lists(kids, max_size=2)), max_leaves=4
)
PAIRS = st.builds(Pair, INTS, TEXT)
OPTIONS: st.SearchStrategy[Any] = st.fixed_dictionaries({"rate": st.floats()}, optional={"note": TEXT})
POINTS = st.builds(Point, INTS, TEXT, st.lists(TEXT, max_size=2))
# Seconds as a float tell microseconds apart within this.
SPANS = st.timedeltas(dt.timedelta(days=-36500), dt.timedelta(days=36500))
FILES = st.builds(File, TEXT.map(lambda name: f"s3://b/{name}"), TEXT, st.none() | TEXT.filter(bool))
EVERYTHING = st.builds(
    Everything,
    z=INTS,
    number=st.floats(),
    text=TEXT,
    flag=st.booleans(),
    raw=st.binary(max_size=8),
    inner=INNERS,
    color=st.sampled_from(Color),
    level=st.sampled_from(Level),
    when=st.datetimes(timezones=ZONES),
    day=st.dates(),
    hour=st.times(),
    span=SPANS,
    mode=st.sampled_from(["fast", "slow"]),
    pair=PAIRS,
    two=st.tuples(INTS, TEXT),
    many=st.lists(INTS, max_size=3).map(tuple),
    distinct=st.sets(INTS, max_size=3),
    frozen=st.frozensets(TEXT, max_size=3),
    table=st.dictionaries(TEXT, st.lists(INNERS, max_size=2), max_size=2),
    by_number=st.dictionaries(INTS, TEXT, max_size=2),
    either=INTS | TEXT | INNERS,
    maybe=st.none() | INNERS,
    options=OPTIONS,
    point=POINTS,
    key=st.uuids(),
    price=st.decimals(allow_nan=False),
    path=st.sampled_from([pathlib.PurePosixPath("/a/b"), pathlib.PurePosixPath("c")]),
    file=FILES,
    anything=st.none() | INTS | TEXT | st.lists(TEXT, max_size=2),
)
BYTES = st.binary(max_size=8)
HELD = st.dictionaries(TEXT, st.none() | st.lists(INTS, max_size=2), max_size=2)
CASES: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (Inner, INNERS),
    (Tree, TREES),
    (Pair, PAIRS),
    (Options, OPTIONS),
    (Point, POINTS),
    (Everything, EVERYTHING),
    (Holder[int], st.builds(Holder, INTS, HELD)),
    (Holder[Inner], st.builds(Holder, INNERS, st.just({}))),
    (Both[int, str], st.builds(Both, held=INTS, others=HELD, second=st.tuples(INTS, TEXT))),
    (Ints, st.builds(Ints, INTS, HELD)),
    (Wrapped[bytes], st.builds(Wrapped, st.binary(max_size=8))),
    (Entry[Inner | None], st.builds(Entry, TEXT, st.none() | INNERS)),
    (Keyed[float], st.fixed_dictionaries({"held": st.floats()})),
    (
        Raw,
        st.builds(Raw, BYTES, st.lists(BYTES, max_size=2), st.dictionaries(TEXT, BYTES, max_size=2), st.none() | BYTES),
    ),
    (Nothing, st.builds(Nothing)),
    (tuple[int, ...], st.lists(INTS, max_size=3).map(tuple)),
    (set[Color], st.sets(st.sampled_from(Color))),
    (frozenset[int] | list[int], st.frozensets(INTS, max_size=3) | st.lists(INTS, max_size=3)),
    (list[tuple[int, str]], st.lists(st.tuples(INTS, TEXT), max_size=2)),
    (bytes | str | None, st.none() | BYTES | TEXT),
    (tuple[int, str, Inner], st.tuples(INTS, TEXT, INNERS)),
    (
        tuple[Color, dt.timedelta, Level, bytes],
        st.tuples(st.sampled_from(Color), SPANS, st.sampled_from(Level), st.binary()),
    ),
    (list[Inner], st.lists(INNERS, max_size=3)),
    (dict[str, Pair | None], st.dictionaries(TEXT, st.none() | PAIRS, max_size=2)),
    (Inner | Pair | Point | int, INNERS | PAIRS | POINTS | INTS),
    (tuple[int, str] | None, st.none() | st.tuples(INTS, TEXT)),
    (dict[int, str], st.dictionaries(INTS, TEXT, max_size=3)),
    (File, FILES),
    (Dir, st.builds(Dir, TEXT.map(lambda name: f"s3://b/{name}"), TEXT)),
    (StructuredDataset, st.builds(StructuredDataset, TEXT.map(lambda name: f"s3://b/{name}"), TEXT)),
    (File | Dir | None, st.none() | FILES | st.builds(Dir, st.just("s3://b/d"))),
]


def same(left: Any, right: Any) -> bool:
    """Equal and of the same types all the way down; NaN equals NaN."""
    if type(left) is not type(right):
        return False
    if is_dataclass(left):
        return all(same(getattr(left, each.name), getattr(right, each.name)) for each in fields(left))
    if isinstance(left, (list, tuple)):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    return bool(left == right) or (isinstance(left, float) and math.isnan(left) and math.isnan(right))


def wire(value: Any, annotation: Any) -> tuple[Literal, LiteralType]:
    literal_type = LiteralType.parse(bytes(literal_type_of(annotation)))
    return Literal.parse(bytes(to_literal(value, literal_type, name="x"))), literal_type


def variables(literal_type: LiteralType) -> VariableMap:
    return VariableMap(variables=[VariableEntry(key="x", value=Variable(type=literal_type))])


def as_own(value: Any, annotation: Any) -> Any:
    """Return the value that a reader with the annotation gets."""
    literal, literal_type = wire(value, annotation)
    named = [NamedLiteral(name="x", value=literal)]
    return literals_to_python(named, variables(literal_type), as_types={"x": annotation}).values["x"]


@settings(deadline=None, max_examples=40)
@given(st.data())
@pytest.mark.parametrize(("annotation", "values"), CASES, ids=lambda case: str(case)[:40])
def test_the_class_at_the_reading_end_gets_what_was_written(
    annotation: Any, values: st.SearchStrategy[Any], data: st.DataObject
) -> None:
    value = data.draw(values)
    assert same(as_own(value, annotation), value)


@settings(deadline=None, max_examples=40)
@given(st.data())
@pytest.mark.parametrize(("annotation", "values"), CASES, ids=lambda case: str(case)[:40])
def test_a_reader_without_the_class_can_write_what_it_read(
    annotation: Any, values: st.SearchStrategy[Any], data: st.DataObject
) -> None:
    value = data.draw(values)
    literal, literal_type = wire(value, annotation)
    assert unsupported_reason(literal, literal_type) is None
    read = from_literal(literal, literal_type)
    again = to_literal(read, literal_type, name="x")
    named = [NamedLiteral(name="x", value=again)]
    assert same(literals_to_python(named, as_types={"x": annotation}).values["x"], value)
    assert same(pickle.loads(pickle.dumps(read)), read)
    assert same(copy.deepcopy(read), read)


def as_json(data: Any, *, by_name: bool) -> Any:
    """Convert plain data to its JSON form: numbers become doubles, keys and bytes become text."""
    if isinstance(data, bytes):
        assume(not by_name)  # Bytes of a model that are not text have no JSON form.
        return base64.encodebytes(data).decode()
    if isinstance(data, list):
        return [as_json(item, by_name=by_name) for item in data]
    if isinstance(data, dict):
        return {str(key): as_json(item, by_name=by_name) for key, item in data.items()}
    assume(not isinstance(data, int) or abs(data) <= 2**53)
    return data


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.filter_too_much])
@given(st.data())
@pytest.mark.parametrize(
    ("annotation", "values"),
    [case for case in CASES if literal_type_of(case[0]).metadata is not None and literal_type_of(case[0]).simple],
    ids=lambda case: str(case)[:40],
)
def test_the_struct_form_holds_the_same(annotation: Any, values: st.SearchStrategy[Any], data: st.DataObject) -> None:
    value = data.draw(values)
    literal, literal_type = wire(value, annotation)
    assert literal.scalar is not None and literal.scalar.binary is not None
    by_name = literal_type.structure is not None and literal_type.structure.tag == "Pydantic Transformer"
    plain = Struct.of(as_json(unpack(literal.scalar.binary.value), by_name=by_name))
    form = Literal.parse(bytes(Literal(scalar=Scalar(generic=plain))))
    named = [NamedLiteral(name="x", value=form)]
    assert same(literals_to_python(named, variables(literal_type), as_types={"x": annotation}).values["x"], value)
    assert literals_to_python(named, variables(literal_type)).unsupported == {}


@pytest.mark.parametrize(("text", "raw"), [("/wA=", b"\xff\x00"), ("YWJj\n", b"abc"), ("", b""), ("YW\nJj", b"abc")])
def test_bytes_of_a_class_are_base64_in_the_struct_form(text: str, raw: bytes) -> None:
    form = Struct.of({"raw": text, "parts": [text], "named": {"k": text}})
    named = [NamedLiteral(name="x", value=Literal(scalar=Scalar(generic=form)))]
    found = literals_to_python(named, as_types={"x": Raw}).values["x"]
    assert found == Raw(raw, [raw], {"k": raw})


@dataclass
class Job:
    data: File
    mode: Choice["fast", "slow"] = "fast"


class Contrary:
    """Cannot be compared with anything."""

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("not comparable")

    __hash__ = None  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("value", "annotation", "place", "maker"),
    [
        ("a.csv", File, "x", "File"),
        (pathlib.Path("a.csv"), File, "x", "File"),
        ("d", Dir, "x", "Dir"),
        ("a.csv", File | None, "x", "File"),
        (["a.csv"], list[File], r"x\[0\]", "File"),
        ({"data": "a.csv"}, Job, r"x\['data'\]", "File"),
    ],
)
def test_a_path_is_refused_with_the_way_to_upload_it(value: Any, annotation: Any, place: str, maker: str) -> None:
    with pytest.raises(TypeError, match=rf"^{place}: expected .*, got .*; upload .* with {maker}\.from_local\(path\)"):
        to_literal(value, literal_type_of(annotation), name="x")


@pytest.mark.parametrize("annotation", [int, str, Color, Choice["a"], list[int], File, Job, int | None, bytes])
def test_an_object_that_cannot_be_compared_is_refused_by_name(annotation: Any) -> None:
    with pytest.raises(TypeError, match=r"^x: expected .*, got Contrary"):
        to_literal(Contrary(), literal_type_of(annotation), name="x")
    with pytest.raises(TypeError, match=r"^x\['mode'\]: expected one of 'fast', 'slow', got Contrary"):
        to_literal({"data": File("s3://b/k"), "mode": Contrary()}, literal_type_of(Job), name="x")


def test_text_is_no_bytes() -> None:
    with pytest.raises(TypeError, match=r"^x\.raw: expected bytes, got '\*', which is not base64"):
        form = Struct.of({"raw": "*", "parts": [], "named": {}})
        named = [NamedLiteral(name="x", value=Literal(scalar=Scalar(generic=form)))]
        literals_to_python(named, as_types={"x": Raw})
    with pytest.raises(TypeError, match=r"^x\['raw'\]: expected bytes, got str"):
        to_literal({"raw": "YWJj", "parts": [], "named": {}}, literal_type_of(Raw), name="x")


def test_a_guessed_class_is_one_with_fields_in_order_and_defaults() -> None:
    made = guess_type(LiteralType.parse(bytes(literal_type_of(Everything))))
    assert made is guess_type(literal_type_of(Everything))
    assert (made.__name__, [each.name for each in fields(made)]) == (
        "Everything",
        [each.name for each in fields(Everything)],
    )
    hints = {each.name: each.type for each in fields(made)}
    assert hints["z"] is int and hints["when"] is dt.datetime and hints["span"] is dt.timedelta
    inner = guess_type(literal_type_of(Inner))
    assert hints["inner"] is inner
    assert inner(1) == inner(b=1, a="x")
    assert repr(inner(1)) == "Inner(b=1, a='x')"
    with pytest.raises(TypeError, match="'b'"):
        inner()
    tree = guess_type(literal_type_of(Tree))
    assert tree(1).kids == [] and {each.name: each.type for each in fields(tree)}["kids"] == list[tree]


def test_a_guessed_named_tuple_keeps_names_and_a_typed_dict_stays_a_dict() -> None:
    literal, literal_type = wire(Pair(1, "b"), Pair)
    read = from_literal(literal, literal_type)
    assert (read, read.x, read.label, type(read).__name__) == ((1, "b"), 1, "b", "Pair")
    assert guess_type(literal_type)(1) == (1, "none")
    assert from_literal(*wire({"rate": 1.5}, Options)) == {"rate": 1.5}
    assert from_literal(*wire((1, "a"), tuple[int, str])) == (1, "a")


def test_keys_that_are_no_names_become_names() -> None:
    schema = {
        "title": "class",
        "type": "object",
        "properties": {k: {"type": "integer"} for k in ("class", "a-b", "a_b", "", "1", "__init__", "__dict__")},
        "required": ["class"],
    }
    kind = LiteralType(
        simple=SimpleType.STRUCT, metadata=Struct.of(schema), structure=TypeStructure(tag="Pydantic Transformer")
    )
    made = guess_type(kind)
    names = [each.name for each in fields(made)]
    assert names[0] == "class_" and len(set(names)) == 7 and all(name.isidentifier() for name in names)
    values = dict.fromkeys(schema["properties"], 5)
    assert from_literal(to_literal(made(*[5] * 7), kind, name="x")) == values
    assert from_literal(to_literal(values, kind, name="x"), kind) == made(*[5] * 7)


@pytest.mark.parametrize(
    ("value", "annotation", "complaint"),
    [
        (Inner("1"), Inner, r"x\.b: expected int, got str"),  # type: ignore[arg-type]
        ({"a": "b"}, Inner, "x: Inner needs 'b'"),
        ({"b": 1, "aa": "b"}, Inner, "x: Inner has no field 'aa'; did you mean 'a'"),
        (object(), Inner, "x: expected Inner, got object"),
        ([1], Inner, "x: expected Inner, got list"),
        (Pair(1), Inner, "x: expected Inner, got Pair"),
        ((1,), tuple[int, str], "x: expected tuple, got tuple"),
        ((1, 2), tuple[int, str], r"x\[1\]: expected str, got int"),
        ({"rate": "a"}, Options, r"x\['rate'\]: expected float, got str"),
        ("s3://a/b", File, "x: expected a file, got str; upload from this machine with File.from_local"),
        (Dir("s3://a"), File, "x: expected a file, got Dir"),
        ({"a": {1, 2}}, dict, r"x\['a'\]: a dict may hold JSON values.*set is none"),
        ({(1, 2): 3}, dict, "x: keys must be str, int or float, this one is tuple"),
        (Tree(1, [Tree(2, [None])]), Tree, r"x\.kids\[0\]\.kids\[0\]: expected Tree, got None"),  # type: ignore[list-item]
    ],
)
def test_a_value_of_another_shape_is_refused_with_its_place(value: Any, annotation: Any, complaint: str) -> None:
    with pytest.raises(TypeError, match=f"^{complaint}"):
        to_literal(value, literal_type_of(annotation), name="x")


@dataclass
class Timed:
    when: dt.datetime
    span: dt.timedelta = dt.timedelta(0)


NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
LOOP = Tree(1)
LOOP.kids.append(LOOP)


@pytest.mark.parametrize(
    ("value", "annotation", "complaint"),
    [
        (Inner(2**63), Inner, r"x\.b: an int must fit into 64 bits, this one takes 65"),
        (Timed(dt.datetime(2026, 1, 1)), Timed, r"x\.when: the datetime has no time zone"),
        (
            Timed(NOON, dt.timedelta(days=10**8, microseconds=1)),
            Timed,
            r"x\.span: this timedelta cannot be expressed exactly",
        ),
        (Inner(1, "\ud800"), Inner, r"x\.a: the text has a lone surrogate"),
        (LOOP, Tree, r"x\.kids\[0\]: this Tree contains itself"),
        (File(""), File, "x: the File has an empty URI"),
    ],
)
def test_a_value_that_cannot_be_written_is_refused_with_its_place(value: Any, annotation: Any, complaint: str) -> None:
    with pytest.raises(ValueError, match=f"^{complaint}"):
        to_literal(value, literal_type_of(annotation), name="x")


T = TypeVar("T")


@dataclass
class Odd:
    x: complex


@dataclass
class Open(Generic[T]):
    x: T


@dataclass
class Lost:
    x: "Nowhere"  # type: ignore[name-defined]  # noqa: F821


class Bits(enum.Flag):
    A = 1


@dataclass
class Flagged:
    x: Bits


@dataclass
class Keyed:
    x: dict[Inner, int]


@pytest.mark.parametrize(
    ("annotation", "complaint"),
    [
        (Odd, r"Odd\.x: complex cannot be part of a JSON object"),
        (Open, r"Open\.x: T is a type variable; specify a type, as in Open"),
        (Lost, "Lost: an annotation cannot be resolved: name 'Nowhere'"),
        (Flagged, "Bits is a Flag"),
        (Keyed, r"Keyed\.x: a dict in a JSON object may have keys that are str"),
    ],
)
def test_a_class_that_has_no_schema_is_refused_by_its_field(annotation: Any, complaint: str) -> None:
    with pytest.raises(TypeError, match=complaint):
        literal_type_of(annotation)


# Workers and callers


def blend(inner: Inner, pair: Pair, point: Point | None = None, *, tree: Tree, where: File) -> Inner:
    return Inner(inner.b + pair.x + tree.value, where.uri)


def test_a_function_gets_its_own_classes() -> None:
    interface, _ = interface_of(blend)
    types = {entry.key: entry.value.type for entry in interface.inputs.variables}  # type: ignore[union-attr]
    given = {"inner": {"b": 1}, "pair": Pair(2), "point": Point(3), "tree": Tree(4), "where": File("s3://b/k")}
    literals = [
        NamedLiteral(name=name, value=to_literal(value, types[name], name=name)) for name, value in given.items()
    ]  # type: ignore[arg-type]
    arguments = arguments_of(blend, literals)
    assert arguments == {**given, "inner": Inner(1)}
    (made,) = result_to_literals(interface, blend(**arguments))
    assert literals_to_python([made], interface.outputs).values["o0"] == guess_type(literal_type_of(Inner))(
        7, "s3://b/k"
    )


def test_what_does_not_fit_the_functions_class_is_refused_with_its_place() -> None:
    literal = to_literal({"b": 1, "a": 2}, literal_type_of(dict), name="x")
    with pytest.raises(TypeError, match=r"^blend: input inner\.a: expected str, got int"):
        arguments_of(blend, [NamedLiteral(name="inner", value=literal)])


def maybe_pair(x: int) -> tuple[int, str] | None:
    return x, "a"


def test_a_tuple_may_be_the_only_output() -> None:
    interface, _ = interface_of(maybe_pair)
    (literal,) = result_to_literals(interface, maybe_pair(1))
    assert literals_to_python([literal], interface.outputs).values == {"o0": (1, "a")}


def test_one_value_that_does_not_fit_its_schema_does_not_hide_the_others() -> None:
    literal_type = literal_type_of(Inner)
    bad = to_literal({"b": "no number"}, literal_type_of(dict), name="x")
    good = to_literal(Inner(1), literal_type, name="x")
    declared = VariableMap(variables=[VariableEntry(key=k, value=Variable(type=literal_type)) for k in ("bad", "good")])
    read = literals_to_python([NamedLiteral(name="bad", value=bad), NamedLiteral(name="good", value=good)], declared)
    assert read.values == {"bad": bad, "good": guess_type(literal_type)(1)}
    assert read.unsupported == {"bad": "it does not fit its declared type: b: expected int, got 'no number'"}


def test_as_types_names_what_is_wrong() -> None:
    named = [NamedLiteral(name="x", value=wire(Inner(1), Inner)[0])]
    with pytest.raises(TypeError, match=r"^as_types: no value is named 'y'; the values are x"):
        literals_to_python(named, as_types={"y": Inner})
    with pytest.raises(TypeError, match=r"^x: expected Tree, got a dict without 'value'"):
        literals_to_python(named, as_types={"x": Tree})


# Structs of a web form, and other people's schemas


def test_the_struct_form_is_read_like_messagepack() -> None:
    literal = Literal(scalar=Scalar(generic=Struct.of({"b": 3, "a": "y"})))
    assert from_literal(literal, literal_type_of(Inner)) == guess_type(literal_type_of(Inner))(3, "y")
    read = literals_to_python([NamedLiteral(name="x", value=literal)], as_types={"x": Inner})
    assert same(read.values["x"], Inner(3, "y"))


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#/$defs/Gone"},
        {"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}},
        {"$ref": "https://example.com/a.json"},
    ],
)
def test_a_schema_that_makes_no_class_leaves_the_data(schema: Mapping[str, Any]) -> None:
    kind = LiteralType(simple=SimpleType.STRUCT, metadata=Struct.of(dict(schema)))
    assert from_literal(to_literal({"a": 1}, literal_type_of(dict), name="x"), kind) == {"a": 1}


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "properties", "items", "anyOf", "enum", "$ref", "title", "required", "default", "a"]
            ),
            inner | st.sampled_from(["object", "array", "string", "integer", "#/$defs/a", "NamedTupleWrapper_A"]),
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(JSON.filter(lambda schema: isinstance(schema, dict)), JSON)
def test_no_schema_upsets_the_reader(schema: Any, value: Any) -> None:
    kind = LiteralType(simple=SimpleType.STRUCT, metadata=Struct.of(schema))
    literal = to_literal({"a": value}, literal_type_of(dict), name="x")
    read = literals_to_python([NamedLiteral(name="x", value=literal)], variables(kind))
    assert (read.values["x"] is literal) == bool(read.unsupported)


# Pickles


class Harmful:
    def __reduce__(self) -> Any:
        return exec, ("raise SystemError('ran')",)


def test_a_pickle_is_loaded_only_when_the_caller_says_so(tmp_path: pathlib.Path) -> None:
    inline = Literal(scalar=Scalar(binary=Binary(value=pickle.dumps({1, 2}))))
    file = tmp_path / "p"
    file.write_bytes(pickle.dumps({3}))
    kind = BlobType(format="PythonPickle")
    stored = Literal(scalar=Scalar(blob=Blob(uri=file.as_uri(), metadata=BlobMetadata(type=kind))))
    harmful = Literal(scalar=Scalar(binary=Binary(value=pickle.dumps(Harmful()))))
    literals = [NamedLiteral(name=n, value=v) for n, v in (("a", inline), ("b", stored), ("c", harmful))]
    closed = literals_to_python(literals)
    assert closed.values == {"a": inline, "b": stored, "c": harmful}
    assert all("pass allow_pickle=True" in reason for reason in closed.unsupported.values())
    opened = literals_to_python(literals, allow_pickle=True)
    assert opened.values == {"a": {1, 2}, "b": {3}, "c": harmful}
    assert opened.unsupported == {"c": "it is pickled and cannot be loaded: SystemError: ran"}


# References


def test_columns_of_a_data_frame_are_told() -> None:
    column = StructuredDatasetTypeDatasetColumn(name="n", literal_type=literal_type_of(int))
    kind = LiteralType(structured_dataset_type=StructuredDatasetType(columns=[column]))
    literal = to_literal(StructuredDataset("s3://b/k", "parquet"), kind, name="x")
    read = from_literal(Literal.parse(bytes(literal)), kind)
    assert (read.uri, read.format, read.columns) == ("s3://b/k", "parquet", {"n": int})


def test_reading_classes_needs_neither_pydantic_nor_a_pickle() -> None:
    code = (
        "import sys, dataclasses, flyte.types as t\n"
        "@dataclasses.dataclass\nclass A:\n    x: int\n"
        "k = t.literal_type_of(A); t.from_literal(t.to_literal(A(1), k, name='x'), k)\n"
        "assert not {'pydantic.main', 'attr', 'uuid', 'decimal', 'tempfile', 'urllib.request'} & set(sys.modules) - before\n"
    )
    code = code.replace(
        "import sys, dataclasses, flyte.types as t\n",
        "import sys, asyncio, flyte, flyte.errors, flyte_api.messages.flyteidl2.core.types\nbefore = set(sys.modules)\nimport dataclasses, flyte.types as t\n",
    )
    subprocess.run([sys.executable, "-c", code], check=True)
