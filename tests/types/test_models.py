"""Pydantic models, where pydantic is installed."""

import datetime as dt
import enum
from dataclasses import dataclass
from typing import Any

import pytest

from flyte.types import from_literal, guess_type, literal_type_of, literals_to_python, to_literal
from flyte_api.messages.flyteidl2.task.common import NamedLiteral

pydantic = pytest.importorskip("pydantic")


class Color(enum.Enum):
    RED = "r"
    GREEN = "RED"


@dataclass
class Inner:
    b: int


class Model(pydantic.BaseModel):  # type: ignore[misc, name-defined]
    z: int
    color: Color = Color.RED
    inner: Inner | None = None
    span: dt.timedelta = dt.timedelta(0)
    when: dt.datetime | None = None
    secret: pydantic.SecretStr | None = None  # type: ignore[name-defined]
    site: pydantic.AnyUrl | None = None  # type: ignore[name-defined]
    extra_tags: set[str] = pydantic.Field(default_factory=set)


class Positive(pydantic.BaseModel):  # type: ignore[misc, name-defined]
    n: int = pydantic.Field(gt=0)


@dataclass
class Around:
    model: Positive


NOON = dt.datetime(2026, 1, 1, 12, 0, 0, 5, tzinfo=dt.UTC)
VALUES: list[tuple[Any, Any]] = [
    (Model(z=1), Model),
    (Model(z=1, color=Color.GREEN, inner=Inner(2), span=dt.timedelta(days=-1, microseconds=3), when=NOON), Model),
    (Model(z=1, site="https://example.com/a", extra_tags={"a", "b"}), Model),
    ([Positive(n=1)], list[Positive]),
    (Around(Positive(n=2)), Around),
    ((Positive(n=1), Color.GREEN), tuple[Positive, Color]),
    (Positive(n=1), Positive | int),
]


def as_own(literal: Any, annotation: Any) -> Any:
    return literals_to_python([NamedLiteral(name="x", value=literal)], as_types={"x": annotation}).values["x"]


@pytest.mark.parametrize(("value", "annotation"), VALUES)
def test_a_model_comes_back_as_itself_and_can_be_passed_on(value: Any, annotation: Any) -> None:
    literal_type = literal_type_of(annotation)
    literal = to_literal(value, literal_type, name="x")
    assert as_own(literal, annotation) == value
    read = from_literal(literal, literal_type)
    assert as_own(to_literal(read, literal_type, name="x"), annotation) == value


def test_a_guessed_model_is_a_dataclass_of_its_fields() -> None:
    made = guess_type(literal_type_of(Model))
    assert made(z=1).z == 1
    assert made is guess_type(literal_type_of(Model))
    assert repr(made(2, span=dt.timedelta(1))).startswith("Model(z=2, ")


def test_what_a_model_refuses_is_said_in_its_words() -> None:
    literal = to_literal({"n": 0}, literal_type_of(dict), name="x")
    with pytest.raises(TypeError, match=r"(?s)Positive rejects it: .*greater than 0"):
        as_own(literal, Positive)
