"""Interfaces in both directions: from functions, from deployed tasks, and the values between them."""

import datetime as dt
import enum
import functools
import inspect
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeVar
from typing import Literal as Choice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyte.types import (
    NativeInterface,
    arguments_of,
    from_literal,
    guess_interface,
    has_default,
    inputs_to_literals,
    interface_of,
    literal_type_of,
    literals_to_python,
    result_to_literals,
    to_literal,
)
from flyte_api.messages.flyteidl2.core.interface import Parameter, TypedInterface, Variable, VariableEntry, VariableMap
from flyte_api.messages.flyteidl2.core.literals import Literal, Scalar, Schema
from flyte_api.messages.flyteidl2.core.types import (
    BlobType,
    EnumType,
    LiteralType,
    SchemaType,
    SimpleType,
    UnionType,
)
from flyte_api.messages.flyteidl2.task.common import NamedLiteral, NamedParameter


class Color(enum.Enum):
    RED = 1
    GREEN = 2


class Split(NamedTuple):
    train: list[int]
    share: float


def typed(inputs: Mapping[str, LiteralType], outputs: Mapping[str, LiteralType] | None = None) -> TypedInterface:
    def variable_map(types: Mapping[str, LiteralType]) -> VariableMap:
        return VariableMap(variables=[VariableEntry(key=k, value=Variable(type=t)) for k, t in types.items()])

    return TypedInterface(inputs=variable_map(inputs), outputs=variable_map(outputs or {}))


INT, STR = literal_type_of(int), literal_type_of(str)


def named(name: str, value: Any, annotation: Any) -> NamedLiteral:
    return NamedLiteral(name=name, value=to_literal(value, literal_type_of(annotation), name=name))


# Guessing


def test_every_kind_of_type_is_guessed() -> None:
    annotations = {
        "a": int,
        "b": float,
        "c": str,
        "d": bool,
        "e": dt.datetime,
        "f": dt.date,
        "g": dt.timedelta,
        "h": type(None),
        "i": bytes,
        "j": list[dict[str, int]],
        "k": dict,
        "l": int | None,
        "m": int | str | None,
    }
    native = guess_interface(typed({name: literal_type_of(kind) for name, kind in annotations.items()}))
    assert {name: kind for name, (kind, _) in native.inputs.items()} == annotations
    assert native.unsupported == {}
    assert not native.has_outputs()


def test_one_type_without_a_python_form_does_not_affect_the_others() -> None:
    blob = LiteralType(blob=BlobType(format="PythonPickle"))
    endless = INT
    for _ in range(2000):
        endless = LiteralType(collection_type=endless)
    native = guess_interface(
        typed(
            {"file": blob, "n": INT, "unset": LiteralType(), "table": LiteralType(schema=SchemaType())},
            {
                "o0": STR,
                "o1": LiteralType(collection_type=blob),
                "o2": LiteralType(schema=SchemaType()),
                "o3": LiteralType(simple=SimpleType.BINARY),
                "o4": LiteralType(simple=SimpleType.ERROR),
                "o5": LiteralType(union_type=UnionType(variants=[INT, blob])),
                "o6": LiteralType(enum_type=EnumType()),
                "o7": LiteralType(union_type=UnionType()),
                "o8": endless,
            },
        )
    )
    assert native.inputs["n"] == (int, inspect.Parameter.empty)
    assert native.inputs["file"][0] is Any
    assert native.outputs["o0"] is str
    assert {name for name, kind in native.outputs.items() if kind is Any} == {
        "o1",
        "o2",
        "o3",
        "o4",
        "o5",
        "o6",
        "o7",
        "o8",
    }
    assert native.unsupported["inputs.file"] == "a pickled object has no plain Python form"
    assert native.unsupported["inputs.unset"] == "its type is not set"
    assert native.unsupported["outputs.o3"] == "a pickled object has no plain Python form"
    assert len(native.unsupported) == 11


def test_defaults_are_marked_and_kept() -> None:
    default = to_literal(5, INT, name="n")
    native = guess_interface(
        typed({"s": STR, "n": INT}),
        [NamedParameter(name="n", parameter=Parameter(var=Variable(type=INT), default=default))],
    )
    assert native.inputs == {"s": (str, inspect.Parameter.empty), "n": (int, has_default)}
    assert native.defaults == {"n": default}
    assert (native.required_inputs(), native.num_required_inputs()) == (["s"], 1)


def test_numbered_outputs_are_in_numerical_order_and_named_ones_stay() -> None:
    sorted_as_text = sorted(f"o{n}" for n in range(12))
    native = guess_interface(typed({}, dict.fromkeys(sorted_as_text, INT)))
    assert list(native.outputs) == [f"o{n}" for n in range(12)]
    assert list(guess_interface(typed({}, {"o10": INT, "loss": INT, "o2": INT})).outputs) == ["o10", "loss", "o2"]


def test_an_interface_reads_as_a_signature() -> None:
    native = NativeInterface(
        {"x": (int, inspect.Parameter.empty), "y": (list[int], has_default), "z": (int | None, has_default)},
        {"o0": dt.datetime},
    )
    assert str(native) == "(x: int, y: list[int] = ..., z: int | None = ...) -> o0: datetime"
    assert str(NativeInterface({}, {})) == "() -> None"
    assert str(NativeInterface({}, {"a": type(None), "b": Any})) == "() -> (a: None, b: Any)"


def test_an_empty_interface_is_empty() -> None:
    assert guess_interface(TypedInterface()) == NativeInterface({}, {})


# Functions


def train(x: int, rate: float = 1, *, color: Color = Color.RED, names: Sequence[str] | None = None) -> Split:
    return Split([x], rate)


async def nothing(when: dt.date) -> None:
    pass


def several(x: int) -> tuple[int, str]:
    return x, str(x)


def test_the_interface_of_a_function_keeps_order_names_and_defaults() -> None:
    interface, defaults = interface_of(train)
    native = guess_interface(TypedInterface.parse(bytes(interface)), defaults)
    assert list(native.inputs) == ["x", "rate", "color", "names"]
    assert native.required_inputs() == ["x"]
    assert dict(native.outputs) == {"train": list[int], "share": float}
    assert [parameter.name for parameter in defaults] == ["rate", "color", "names"]
    values = [from_literal(item.parameter.default, item.parameter.var.type) for item in defaults]  # type: ignore[union-attr, arg-type]
    assert (values[0], type(values[0]), values[1].name, values[2]) == (1.0, float, "RED", None)


def test_results_become_outputs() -> None:
    assert list(guess_interface(interface_of(several)[0]).outputs) == ["o0", "o1"]
    assert not guess_interface(interface_of(nothing)[0]).has_outputs()
    assert result_to_literals(interface_of(nothing)[0], None) == []
    pair = result_to_literals(interface_of(several)[0], several(3))
    assert pair == [named("o0", 3, int), named("o1", "3", str)]
    assert [item.name for item in result_to_literals(interface_of(train)[0], train(1))] == ["train", "share"]


@pytest.mark.parametrize(
    ("function", "result", "complaint"),
    [
        (nothing, 1, "the task declares no outputs, but returned int"),
        (several, 1, "the task declares 2 outputs, but returned int"),
        (several, (1,), "the task declares 2 outputs, but returned a tuple of 1"),
        (several, ("1", "1"), "output o0: expected int, got str"),
    ],
)
def test_a_result_that_does_not_fit_is_refused(function: Any, result: Any, complaint: str) -> None:
    with pytest.raises(TypeError, match=complaint):
        result_to_literals(interface_of(function)[0], result)


def any_number_of_results(x: int) -> tuple[int, ...]:
    return (x,)


@pytest.mark.parametrize("result", [(), (1,), (1, 2, 3)])
def test_a_result_of_any_length_is_one_output(result: tuple[int, ...]) -> None:
    interface, _ = interface_of(any_number_of_results)
    (output,) = result_to_literals(interface, result)
    assert output.name == "o0"
    assert literals_to_python([output], interface.outputs).values == {"o0": result}
    with pytest.raises(TypeError, match=r"^output o0\[1\]: expected int, got str"):
        result_to_literals(interface, (1, "a"))


def no_annotation(x) -> int: ...  # type: ignore[no-untyped-def, empty-body]
def no_result(x: int): ...  # type: ignore[no-untyped-def]
def by_position(x: int, /) -> None: ...
def any_number(*numbers: int) -> None: ...
def any_names(**numbers: int) -> None: ...
def no_type(x: range) -> None: ...
def no_result_type() -> range: ...  # type: ignore[empty-body]
def wrong_default(x: int = "1") -> None: ...  # type: ignore[assignment]
def unresolved(x: "Nowhere") -> None: ...  # type: ignore[name-defined]  # noqa: F821


@pytest.mark.parametrize(
    ("function", "complaint"),
    [
        (no_annotation, "no_annotation: parameter x has no annotation; write its type, such as x: int"),
        (no_result, "no_result: the result has no annotation; write its type, or -> None"),
        (by_position, "by_position: inputs are passed by name, but x is positional-only"),
        (any_number, r"any_number: a task cannot take \*numbers"),
        (any_names, r"any_names: a task cannot take \*numbers"),
        (no_type, r"no_type: parameter x: range has no Flyte type"),
        (no_result_type, r"no_result_type: result: range has no Flyte type"),
        (wrong_default, "wrong_default: default of x: expected int, got str"),
        (unresolved, "unresolved: an annotation cannot be resolved: name 'Nowhere'"),
    ],
)
def test_a_function_that_cannot_be_a_task_is_refused(function: Any, complaint: str) -> None:
    with pytest.raises(TypeError, match=f"^{complaint}"):
        interface_of(function)


# Inputs of a call


def test_inputs_follow_the_interface_and_defaults_fill_in() -> None:
    interface, defaults = interface_of(train)
    literals = inputs_to_literals(interface, {"color": "GREEN", "x": 4}, defaults)
    assert [item.name for item in literals] == ["x", "rate", "color", "names"]
    native = literals_to_python([NamedLiteral.parse(bytes(item)) for item in literals], interface.inputs)
    assert {**native.values, "color": native.values["color"].name} == {
        "x": 4,
        "rate": 1.0,
        "color": "GREEN",
        "names": None,
    }
    assert native.unsupported == {}


def test_a_default_that_the_server_does_not_tell_is_left_to_it() -> None:
    hidden = NamedParameter(name="n", parameter=Parameter(var=Variable(type=INT)))
    assert inputs_to_literals(typed({"n": INT}), {}, [hidden]) == []


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({}, "missing inputs: x, y"),
        ({"x": 1}, "missing input: y"),
        ({"x": 1, "y": 2, "yy": 3}, "the task has no input 'yy'; did you mean 'y'"),
        ({"x": 1, "y": 2, "color": 3}, "the task has no input 'color'; the inputs are x, y"),
        ({"x": 1, "y": "2"}, "y: expected int, got str"),
    ],
)
def test_wrong_inputs_are_refused_by_name(values: dict[str, Any], complaint: str) -> None:
    with pytest.raises(TypeError, match=complaint):
        inputs_to_literals(typed({"x": INT, "y": INT}), values)


def test_an_input_for_a_task_without_inputs_is_refused() -> None:
    with pytest.raises(TypeError, match="has no input 'x'; the inputs are none"):
        inputs_to_literals(TypedInterface(), {"x": 1})


# Values of a run


def test_one_unreadable_value_does_not_affect_the_others() -> None:
    blob = Literal(scalar=Scalar(schema=Schema(uri="s3://b/k")))
    found = literals_to_python([NamedLiteral(name="o0", value=blob), named("o1", 5, int), NamedLiteral(name="o2")])
    assert found.values == {"o0": blob, "o1": 5, "o2": Literal()}
    assert "s3://b/k" in found.unsupported["o0"]
    assert found.unsupported.keys() == {"o0", "o2"}


def test_values_are_keyed_by_their_own_names_and_ordered_by_number() -> None:
    literals = [named(name, int(name[1:]), int) for name in sorted(f"o{n}" for n in range(12))]
    assert list(literals_to_python(literals).values.items()) == [(f"o{n}", n) for n in range(12)]


def test_undeclared_values_are_read_as_they_are() -> None:
    found = literals_to_python([named("extra", "e", str), named("n", 1, int)], typed({"n": INT, "m": INT}).inputs)
    assert list(found.values.items()) == [("n", 1), ("extra", "e")]


# Calling a function


def work(
    x: int,
    when: dt.date,
    color: Color,
    mode: Choice["fast", "slow"],
    colors: dict[str, list[Color | None]],
    either: Color | str | float,
    y: float = 2.5,
) -> None: ...


def deliver(function: Any, **values: Any) -> dict[str, Any]:
    """Return the arguments that a worker passes to the function after a round trip."""
    interface, defaults = interface_of(function)
    literals = inputs_to_literals(TypedInterface.parse(bytes(interface)), values, defaults)
    return arguments_of(function, [NamedLiteral.parse(bytes(literal)) for literal in literals])


@given(
    x=st.integers(-(2**63), 2**63 - 1),
    when=st.dates(),
    color=st.sampled_from(Color),
    mode=st.sampled_from(["fast", "slow"]),
    colors=st.dictionaries(st.text("ab"), st.lists(st.sampled_from(Color) | st.none(), max_size=3), max_size=2),
    either=st.sampled_from(Color) | st.text("ab") | st.floats(allow_nan=False),
)
def test_a_function_gets_what_the_caller_gave(**values: Any) -> None:
    got = deliver(work, **values)
    assert got == {**values, "y": 2.5}
    assert {name: type(value) for name, value in got.items()} == {
        **{name: type(value) for name, value in values.items()},
        "y": float,
    }


def test_the_functions_own_defaults_apply_to_what_is_not_sent() -> None:
    assert arguments_of(train, [named("x", 1, int), named("unknown", 2, int)]) == {"x": 1}


@pytest.mark.parametrize(
    ("function", "literals", "complaint"),
    [
        (several, [], "several: input x is missing"),
        (several, [named("x", "1", str)], "several: input x: expected int, got str"),
        (several, [named("x", True, bool)], "several: input x: expected int, got bool"),
        (several, [named("x", 1.5, float)], "several: input x: expected int, got float"),
        (several, [NamedLiteral(name="x", value=Literal())], "several: input x cannot be read: it is empty"),
        (nothing, [named("when", "today", str)], "nothing: input when: expected date, got str"),
        (train, [named("x", 1, int), named("color", "BLUE", str)], "train: input color cannot be read: 'BLUE' is not"),
        (no_annotation, [named("x", 1, int)], "no_annotation: parameter x has no annotation"),
    ],
)
def test_literals_that_do_not_fit_the_function_are_refused(
    function: Any, literals: list[NamedLiteral], complaint: str
) -> None:
    with pytest.raises(TypeError, match=f"^{complaint}"):
        arguments_of(function, literals)


def test_a_decorated_function_is_seen_as_it_was_written() -> None:
    @functools.wraps(several)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return several(*args, **kwargs)

    assert interface_of(wrapper) == interface_of(several)


def test_aliases_with_parameters() -> None:
    """As `type Many[T] = list[T]`, and NumPy's `NDArray`, on Python 3.12 and later."""
    extensions = pytest.importorskip("typing_extensions")
    item = TypeVar("item")
    many = extensions.TypeAliasType("many", list[item], type_params=(item,))
    assert literal_type_of(many[int]) == literal_type_of(list[int])
    assert literal_type_of(extensions.TypeAliasType("names", list[str])) == literal_type_of(list[str])
