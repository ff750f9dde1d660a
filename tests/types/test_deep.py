"""Extremely nested values are refused or left raw, with a reason and without a crash."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from flyte.types import describe, guess_interface, literal_type_of, literals_to_python, to_literal
from flyte.types.data.mismatch import Mismatch
from flyte.types.literals.read import read_as
from flyte_api.messages.flyteidl2.core.interface import TypedInterface, Variable, VariableEntry, VariableMap
from flyte_api.messages.flyteidl2.core.literals import Binary, Literal, Primitive, Scalar
from flyte_api.messages.flyteidl2.core.types import LiteralType, SimpleType
from flyte_api.messages.flyteidl2.task.common import NamedLiteral
from flyte_api.messages.google.protobuf.struct import Struct

DEEP = 10_000
ONE = Literal(scalar=Scalar(primitive=Primitive(integer=1)))


@dataclass
class Tree:
    kids: list["Tree"] = field(default_factory=list)


def inside(message: bytes, *numbers: int) -> bytes:
    """A message as the field of a message, and that as the field of another, outermost number first."""
    for number in reversed(numbers):
        size, length = len(message), bytearray()
        while size > 0x7F:
            length.append(size & 0x7F | 0x80)
            size >>= 7
        message = bytes([number << 3 | 2, *length, size]) + message
    return message


def nested(message: bytes, *numbers: int, times: int = DEEP) -> bytes:
    for _ in range(times):
        message = inside(message, *numbers)
    return message


def lists(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def dicts(depth: int) -> Any:
    value: Any = {}
    for _ in range(depth):
        value = {"k": value}
    return value


def tree(depth: int) -> Tree:
    made = Tree()
    for _ in range(depth):
        made = Tree([made])
    return made


def of_lists(depth: int) -> Any:
    kind: Any = int
    for _ in range(depth):
        kind = list[kind]
    return kind


# The innermost value of a Struct, a field of it named "k", and lists around the value.
STRUCT = Struct.parse(inside(inside(b"k", 1) + inside(nested(b"\x20\x01", 6, 1), 2), 1))


@pytest.mark.parametrize(
    ("value", "annotation"),
    [
        (lists(50), of_lists(50)),
        ({"k": lists(50)}, dict),
        (dicts(50), dict),
        (tree(40), Tree),
    ],
)
def test_fifty_levels_come_back(value: Any, annotation: Any) -> None:
    literal_type = LiteralType.parse(bytes(literal_type_of(annotation)))
    literal = Literal.parse(bytes(to_literal(value, literal_type, name="x")))
    named = [NamedLiteral(name="x", value=literal)]
    assert literals_to_python(named, as_types={"x": annotation}).values["x"] == value
    declared = VariableMap(variables=[VariableEntry(key="x", value=Variable(type=literal_type))])
    assert literals_to_python(named, declared).unsupported == {}


@pytest.mark.parametrize(
    ("value", "annotation", "complaint"),
    [
        ({"k": lists(DEEP)}, dict, "values may be nested 100 levels deep"),
        (dicts(DEEP), dict, "values may be nested 100 levels deep"),
        (tree(DEEP), Tree, "values may be nested 100 levels deep"),
        (lists(DEEP), list[list[int]], r"\[0\]\[0\]: expected int, got list"),
    ],
)
def test_a_value_without_end_is_refused_by_name(value: Any, annotation: Any, complaint: str) -> None:
    with pytest.raises((TypeError, ValueError), match=rf"^x.*{complaint}") as raised:
        to_literal(value, literal_type_of(annotation), name="x")
    assert len(str(raised.value)) < 300


def test_an_annotation_without_end_is_refused() -> None:
    with pytest.raises(TypeError, match="nested more than 100 levels deep"):
        literal_type_of(of_lists(DEEP))


@pytest.mark.parametrize(
    "literal",
    [
        Literal.parse(nested(bytes(ONE), 2, 1)),
        Literal.parse(nested(bytes(ONE), 1, 9, 1)),
        Literal(scalar=Scalar(generic=STRUCT)),
        Literal(scalar=Scalar(binary=Binary(value=b"\x91" * DEEP + b"\x01", tag="msgpack"))),
    ],
    ids=["collections", "unions", "struct", "messagepack"],
)
def test_a_literal_without_end_stays_raw_and_hides_no_other(literal: Literal) -> None:
    read = literals_to_python([NamedLiteral(name="deep", value=literal), NamedLiteral(name="x", value=ONE)])
    assert read.values == {"deep": literal, "x": 1}
    assert "deep" in read.unsupported["deep"]


def test_a_union_around_unions_without_end_is_read_as_what_is_asked_for() -> None:
    literal = Literal.parse(nested(bytes(ONE), 1, 9, 1))
    assert read_as(literal, int) == 1
    with pytest.raises(Mismatch):
        read_as(literal, str)


def test_a_type_without_end_is_refused_and_hides_no_other() -> None:
    deep = LiteralType.parse(nested(bytes(literal_type_of(int)), 3))
    schema = LiteralType(simple=SimpleType.STRUCT, metadata=STRUCT)
    variables = {"deep": deep, "schema": schema, "x": literal_type_of(int)}
    entries = [VariableEntry(key=name, value=Variable(type=kind)) for name, kind in variables.items()]
    native = guess_interface(TypedInterface(inputs=VariableMap(variables=entries)))
    assert native.inputs["x"][0] is int
    assert set(native.unsupported) == {"inputs.deep", "inputs.schema"}
    assert describe(deep).endswith("[...]" + "]" * 10)
    with pytest.raises(TypeError, match="x: its type is nested more than 100 levels deep"):
        to_literal(lists(DEEP), deep, name="x")


def test_a_cycle_is_refused_where_it_closes() -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    loop = Tree()
    loop.kids.append(Tree([loop]))
    with pytest.raises(ValueError, match=r"^x\['k'\]\[0\]: this list contains itself"):
        to_literal({"k": cycle}, literal_type_of(dict), name="x")
    with pytest.raises(ValueError, match=r"^x\.kids\[0\]\.kids\[0\]: this Tree contains itself"):
        to_literal(loop, literal_type_of(Tree), name="x")
    with pytest.raises(TypeError, match=r"^x\[0\]\[0\]: expected int, got list"):
        to_literal(cycle, literal_type_of(list[list[int]]), name="x")
