"""Converters of a user's own classes."""

from __future__ import annotations

import asyncio
import enum
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, make_dataclass
from typing import Any

import converter_tasks
import pytest

import flyte
from flyte.devbox import Devbox
from flyte.types import (
    TypeEngine,
    TypeTransformer,
    TypeTransformerFailedError,
    arguments_of,
    describe,
    from_literal,
    guess_interface,
    guess_type,
    interface_of,
    literal_type_of,
    literals_to_python,
    result_to_literals,
    to_literal,
)
from flyte.types.converters import registry
from flyte_api.messages.flyteidl2.core.literals import Literal
from flyte_api.messages.flyteidl2.core.types import LiteralType, SimpleType, TypeStructure
from flyte_api.messages.flyteidl2.task.common import NamedLiteral


class Money:
    def __init__(self, cents: int, currency: str) -> None:
        self.cents = cents
        self.currency = currency

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Money) and (self.cents, self.currency) == (other.cents, other.currency)

    def __hash__(self) -> int:
        return hash((self.cents, self.currency))


class Price(Money):
    pass


class Vector:
    def __init__(self, *parts: float) -> None:
        self.parts = parts

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vector) and self.parts == other.parts

    __hash__ = None  # type: ignore[assignment]


TEXT = LiteralType(simple=SimpleType.STRING)


class MoneyConverter(TypeTransformer[Money]):
    def __init__(self, name: str = "Money") -> None:
        super().__init__(name, Money)

    def get_literal_type(self, t: type[Money]) -> LiteralType:
        return TEXT

    def to_literal(self, python_val: Money, python_type: type[Money], expected: LiteralType) -> Literal:
        return to_literal(f"{python_val.cents} {python_val.currency}", TEXT, name="money")

    def to_python_value(self, lv: Literal, expected_python_type: type[Money]) -> Money:
        cents, _, currency = from_literal(lv).partition(" ")
        return expected_python_type(int(cents), currency)


class VectorConverter(TypeTransformer[Vector]):
    """Asynchronous, and awaits something in earnest."""

    def __init__(self) -> None:
        super().__init__("Vector", Vector)

    def get_literal_type(self, t: type[Vector]) -> LiteralType:
        return literal_type_of(list[float])

    async def to_literal(self, python_val: Vector, python_type: type[Vector], expected: LiteralType) -> Literal:
        await asyncio.sleep(0)
        return to_literal([*python_val.parts], expected, name="vector")

    async def to_python_value(self, lv: Literal, expected_python_type: type[Vector]) -> Vector:
        await asyncio.sleep(0)
        return Vector(*from_literal(lv))


class Table:
    def __init__(self, cells: dict[str, Any]) -> None:
        self.cells = cells

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Table) and self.cells == other.cells

    __hash__ = None  # type: ignore[assignment]


class NamelessConverter(MoneyConverter):
    def __init__(self) -> None:
        self.rate = 1.0


class Color(enum.Enum):
    RED = 1


class TableConverter(TypeTransformer[Table]):
    def __init__(self) -> None:
        super().__init__("Table", Table)

    def get_literal_type(self, t: type[Table]) -> LiteralType:
        return literal_type_of(dict)

    def to_literal(self, python_val: Table, python_type: type[Table], expected: LiteralType) -> Literal:
        return to_literal(python_val.cells, literal_type_of(dict), name="table")

    def to_python_value(self, lv: Literal, expected_python_type: type[Table]) -> Table:
        return Table(from_literal(lv))


@dataclass
class Order:
    total: Money
    at: Vector
    table: Table
    parts: list[Money] = field(default_factory=list)
    by_name: dict[str, Money] = field(default_factory=dict)
    tip: Money | None = None


@pytest.fixture(autouse=True)
def converters(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(registry, "_converters", registry._Converters({}, {}))
    TypeEngine.register(MoneyConverter())
    TypeEngine.register(VectorConverter())
    TypeEngine.register(TableConverter())
    TypeEngine.register(converter_tasks.DistanceConverter())
    yield


EUR = Money(1200, "EUR")
VALUES: list[tuple[Any, Any]] = [
    (Money, EUR),
    (Price, Price(1, "USD")),
    (Vector, Vector(1.0, 2.5)),
    (Table, Table({"a": [1, {"b": None}]})),
    (list[Money], [EUR, Money(1, "USD")]),
    (list[Money], []),
    (dict[str, Vector], {"x": Vector(0.5)}),
    (Money | None, EUR),
    (Money | None, None),
    (str | Money, EUR),
    (Money | str, "text"),
    (Vector | list[float], [1.5]),
    (Vector | list[float], Vector(1.5)),
    (dict[str, list[Money | None]], {"x": [None, EUR]}),
    (set[Money], {EUR, Money(1, "USD")}),
    (Order, Order(EUR, Vector(1.0), Table({}), [EUR], {"a": EUR}, EUR)),
    (Order, Order(EUR, Vector(), Table({"a": 1}))),
    (list[Order], [Order(EUR, Vector(), Table({"a": 1}))]),
]


def _read(literal: Literal, hint: Any) -> Any:
    return literals_to_python([NamedLiteral(name="x", value=literal)], as_types={"x": hint}).values["x"]


@pytest.mark.parametrize(("hint", "value"), VALUES)
def test_values_survive_a_round_trip(hint: Any, value: Any) -> None:
    literal = to_literal(value, literal_type_of(hint), name="x")
    read = _read(Literal.parse(bytes(literal)), hint)
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("hint", "value"), [each for each in VALUES if "Order" not in str(each[0]) and each[0] is not Price]
)
def test_the_tag_names_the_class_of_a_value_without_annotation(hint: Any, value: Any) -> None:
    literal_type = LiteralType.parse(bytes(literal_type_of(hint)))
    assert from_literal(to_literal(value, literal_type, name="x"), literal_type) == value
    assert guess_type(literal_type) == hint


def test_a_function_takes_and_returns_the_class() -> None:
    def pay(price: Money, tip: Money = EUR, at: Vector | None = None) -> tuple[Money, list[Vector]]:
        return price, []

    interface, defaults = interface_of(pay)
    native = guess_interface(interface, defaults)
    assert native.inputs["price"][0] is Money and native.outputs["o1"] == list[Vector]
    assert "Money" in str(native)
    literals = [NamedLiteral(name="price", value=to_literal(EUR, literal_type_of(Money), name="price"))]
    literals += [NamedLiteral(name=each.name, value=each.parameter.default) for each in defaults if each.parameter]
    assert arguments_of(pay, literals) == {"price": EUR, "tip": EUR, "at": None}
    outputs = result_to_literals(interface, (EUR, [Vector(1.0)]))
    assert literals_to_python(outputs, interface.outputs).values == {"o0": EUR, "o1": [Vector(1.0)]}


def test_a_type_has_the_name_of_the_converter_as_its_tag() -> None:
    assert literal_type_of(Money) == LiteralType(simple=SimpleType.STRING, structure=TypeStructure(tag="Money"))
    assert describe(literal_type_of(Money | None)) == "Money | None"
    assert TEXT.structure is None, "the converter's own object is unchanged"


def test_plain_values_and_plain_types_pass() -> None:
    # A client that does not know the class writes what it stands for, and a task may declare the plain type.
    assert _read(to_literal("7 EUR", literal_type_of(Money), name="x"), Money) == Money(7, "EUR")
    assert from_literal(to_literal(EUR, LiteralType(simple=SimpleType.STRING), name="x")) == "1200 EUR"


def test_values_that_do_not_fit_are_refused() -> None:
    with pytest.raises(TypeError, match=r"x\[1\]: expected Money, got int"):
        to_literal([EUR, 3], literal_type_of(list[Money]), name="x")
    with pytest.raises(TypeError, match="x: expected int, got Money, which its converter stores as str"):
        to_literal(EUR, literal_type_of(int), name="x")
    with pytest.raises(TypeError, match=r"x\['total'\]: expected str, got int"):
        to_literal({"total": 3, "at": [], "table": {}}, literal_type_of(Order), name="x")


async def test_asynchronous_conversions_work_inside_a_running_loop() -> None:
    literal = to_literal(Vector(1.0), literal_type_of(Vector), name="x")
    assert _read(literal, Vector) == Vector(1.0)
    assert await TypeEngine.to_python_value(literal, Vector) == Vector(1.0)
    assert await TypeEngine.to_literal(Vector(1.0), Vector) == literal


class Odd:
    pass


class OddConverter(TypeTransformer[Odd]):
    """Does what the test says."""

    def __init__(self, kind: Any = TEXT, literal: Any = None, value: Any = None) -> None:
        super().__init__("Odd", Odd)
        self.results = (kind, literal, value)

    def _result(self, index: int) -> Any:
        found = self.results[index]
        if isinstance(found, Exception):
            raise found
        return found

    def get_literal_type(self, t: type[Odd]) -> LiteralType:
        return self._result(0)

    def to_literal(self, python_val: Odd, python_type: type[Odd], expected: LiteralType) -> Literal:
        return self._result(1)

    async def to_python_value(self, lv: Literal, expected_python_type: type[Odd]) -> Odd:
        return self._result(2)


LITERAL = to_literal("a", TEXT, name="x")
NUMBER = to_literal(1, LiteralType(simple=SimpleType.INTEGER), name="x")


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (None, "get_literal_type returned None, not a LiteralType"),
        ("text", "get_literal_type returned an instance of str, not a LiteralType"),
        (LiteralType(), "get_literal_type returned an empty LiteralType"),
        (KeyError("k"), "get_literal_type failed: KeyError: 'k'"),
    ],
)
def test_a_wrong_type_is_refused(kind: Any, message: str) -> None:
    TypeEngine.register(OddConverter(kind))
    with pytest.raises(TypeTransformerFailedError, match=message) as caught:
        literal_type_of(list[Odd])
    assert caught.value.__cause__ is (kind if isinstance(kind, Exception) else None)


@pytest.mark.parametrize(
    ("literal", "message"),
    [
        (None, "to_literal returned None, not a Literal"),
        (3, "to_literal returned an instance of int, not a Literal"),
        (Literal(), "to_literal returned a literal of another type: expected a scalar, got nothing"),
        (NUMBER, "another type: expected string_value, got integer"),
        (ZeroDivisionError("oh"), "to_literal failed: ZeroDivisionError: oh"),
    ],
)
@pytest.mark.parametrize("hint", [list[Odd], list[Odd | None]])
def test_a_wrong_literal_is_refused_with_its_place(hint: Any, literal: Any, message: str) -> None:
    TypeEngine.register(OddConverter(literal=literal))
    with pytest.raises(TypeTransformerFailedError, match=r"x\[0\]: OddConverter.*" + message) as caught:
        to_literal([Odd()], literal_type_of(hint), name="x")
    assert caught.value.__cause__ is (literal if isinstance(literal, Exception) else None)


@pytest.mark.parametrize(
    ("kind", "literal", "problem"),
    [
        (list[int], LITERAL, "expected a list, got scalar"),
        (list[int], to_literal(["a"], literal_type_of(list[str]), name="x"), "expected integer, got string_value"),
        (dict[str, int], LITERAL, "expected a map, got scalar"),
        (dict, LITERAL, "expected binary or generic, got string_value"),
        (int | None, LITERAL, "expected union, got string_value"),
        (type(None), LITERAL, "expected none_type, got string_value"),
    ],
)
def test_a_literal_of_another_kind_is_refused(kind: Any, literal: Literal, problem: str) -> None:
    TypeEngine.register(OddConverter(literal_type_of(kind), literal))
    with pytest.raises(TypeTransformerFailedError, match=problem):
        to_literal(Odd(), literal_type_of(Odd), name="x")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "to_python_value returned None, not Odd"),
        ("a", "to_python_value returned an instance of str, not Odd"),
        (OSError("gone"), "to_python_value failed: OSError: gone"),
    ],
)
def test_a_wrong_value_is_refused(value: Any, message: str) -> None:
    TypeEngine.register(OddConverter(value=value))
    with pytest.raises(TypeTransformerFailedError, match="x: OddConverter.*" + message) as caught:
        _read(LITERAL, Odd)
    assert caught.value.__cause__ is (value if isinstance(value, Exception) else None)
    # Without an annotation, the other values are still read.
    kind = literal_type_of(Odd)
    assert from_literal(LITERAL, kind) is LITERAL


def test_what_cannot_be_registered_says_why() -> None:
    with pytest.raises(ValueError, match=r"test_converters\.Money has a converter already: MoneyConverter"):
        TypeEngine.register(MoneyConverter("other"))
    with pytest.raises(ValueError, match="the name 'Vector' is taken by the converter of"):
        TypeEngine.register(MoneyConverter("Vector"))
    with pytest.raises(ValueError, match="the name 'Typed List' belongs to Flyte"):
        TypeEngine.register(MoneyConverter("Typed List"))
    with pytest.raises(TypeError, match="not MoneyConverter; create an instance of it"):
        TypeEngine.register(MoneyConverter)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="an instance of TypeTransformer, not int"):
        TypeEngine.register(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="for classes, not for 'x'"):
        TypeEngine.register(OddConverter(), ["x"])  # type: ignore[list-item]
    with pytest.raises(
        TypeError, match=r"NamelessConverter has no name and class; call super\(\).__init__\(name, cls\)"
    ):
        TypeEngine.register(NamelessConverter())
    for several in (Money, Color, 3, "x"):
        with pytest.raises(TypeError, match="additional_types takes several classes, such as additional_types="):
            TypeEngine.register(OddConverter(), several)  # type: ignore[arg-type]
    for kind in (int, str, dict, list, object, type(None)):
        with pytest.raises(ValueError, match="has a Flyte type already; wrap it in a class of your own"):
            TypeEngine.register(OddConverter(), [kind])
    assert TypeEngine.get_transformer(Odd) is None, "nothing is registered halfway"


@pytest.mark.parametrize(
    ("name", "kind", "error"), [("", Odd, ValueError), (3, Odd, TypeError), ("Odd", "Odd", TypeError)]
)
def test_a_converter_has_a_name_and_a_class(name: Any, kind: Any, error: type[Exception]) -> None:
    class Named(OddConverter):
        def __init__(self) -> None:
            TypeTransformer.__init__(self, name, kind)

    with pytest.raises(error):
        Named()


def test_a_class_that_is_defined_again_gets_the_new_converter() -> None:
    again = type("Odd", (), {"__module__": Odd.__module__, "__qualname__": Odd.__qualname__})

    class Again(OddConverter):
        def __init__(self) -> None:
            TypeTransformer.__init__(self, "Odd", again)

    TypeEngine.register(OddConverter())
    TypeEngine.register(Again())
    assert TypeEngine.get_transformer(Odd) is None
    assert guess_type(LiteralType(simple=SimpleType.STRING, structure=TypeStructure(tag="Odd"))) is again


def test_a_class_that_is_stored_as_a_file_cannot_be_a_field() -> None:
    from flyte.types import File

    TypeEngine.register(OddConverter(literal_type_of(File)))

    Holder = make_dataclass("Holder", [("odd", Odd)])
    with pytest.raises(TypeError, match=r"Holder\.odd: in a JSON object, a class must be stored as"):
        literal_type_of(Holder)


def test_threads_register_and_convert_at_the_same_time() -> None:
    kinds = [type(f"Kind{n}", (), {}) for n in range(40)]
    start = threading.Barrier(8)
    failures: list[BaseException] = []

    class Each(OddConverter):
        def __init__(self, kind: type) -> None:
            TypeTransformer.__init__(self, kind.__name__, kind)
            self.results = (TEXT, LITERAL, kind())

    def work(index: int) -> None:
        start.wait(30)
        try:
            for kind in kinds[index::8]:
                TypeEngine.register(Each(kind))
                assert type(_read(to_literal(kind(), literal_type_of(kind), name="x"), kind)) is kind
                assert _read(to_literal(EUR, literal_type_of(Money), name="x"), Money) == EUR
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert all(TypeEngine.get_transformer(kind) is not None for kind in kinds)


def test_the_engine_has_the_names_of_the_official_one() -> None:
    assert TypeEngine.to_literal_type(int) == literal_type_of(int)
    assert TypeEngine.guess_python_type(literal_type_of(Money)) is Money
    with pytest.raises(ValueError, match="its type is not set"):
        TypeEngine.guess_python_type(LiteralType())


def test_a_task_takes_and_returns_the_class(flyte_devbox: Devbox) -> None:
    task = flyte.devbox.deploy(converter_tasks.total, name="converters.total")
    assert str(task.interface).startswith("(parts: list[converter_tasks.Distance]")
    run = flyte.run(task, parts=[converter_tasks.Distance(1.0), converter_tasks.Distance(2.0)])
    run.wait()
    total, others = run.outputs()
    assert isinstance(total, converter_tasks.Distance) and total.meters == 3.5
    assert others["start"].meters == 0.5
    assert run.inputs()["parts"][1].meters == 2.0
    with pytest.raises(TypeError, match=r"parts\[0\]: expected Distance, got str"):
        flyte.run(task, parts=["1 km"])
