"""Mistakes in [roles] and [scope]: names that methods need, and fields that no message has."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from flyte_codegen.diagnostics import CodegenError, Diagnostic
from support.fragments import Fragment, proto

Make = Callable[..., Fragment]
Mistakes = Callable[[Fragment], list[Diagnostic]]
PARKS = proto("""
message AnimalId { string park = 1; string name = 2; int32 cage = 3; repeated string keepers = 4; }
message Animal { AnimalId id = 1; }
service Animals { rpc GetAnimal(AnimalId) returns (Animal); }
""")
ANIMAL = """
[entities.Animal]
service = "test.Animals"
methods.GetAnimal = {}
"""


@pytest.mark.parametrize(
    "name", ["client", "limit", "page_size", "timeout", "cls", "self", "request", "scope", "caller", "_park"]
)
def test_a_role_that_is_named_like_something_in_methods(fragment: Make, mistakes: Mistakes, name: str) -> None:
    toml = f'[roles]\n{name} = ["park"]\n[scope."test.AnimalId"]\n{ANIMAL}'
    (only,) = mistakes(fragment(PARKS, toml))
    assert only.message == f"[roles] {name} can't be a role: generated methods use the name"
    assert only.remedy == "choose another name for the role"
    assert only.place == "codegen.toml:6"


def test_a_role_that_is_a_keyword(fragment: Make, mistakes: Mistakes) -> None:
    (only,) = mistakes(fragment(PARKS, f'[roles]\nclass = ["park"]\n{ANIMAL}'))
    assert only.message == "[roles] class is not a valid Python name"


@pytest.mark.parametrize(
    ("toml", "message", "remedy"),
    [
        ('"test.Animal*" = { prk = "project" }', "gives prk a role, but no message that matches test.Animal* has such a field", "did you mean park?"),
        ('"test.AnimalId" = { prk = "project" }', "names test.AnimalId.prk, which is not a known field", "did you mean test.AnimalId.park?"),
        ('"test.AnimalId" = { cage = "project" }', "gives test.AnimalId.cage a role, but the field is not a single string", "only strings"),
        ('"test.*Id" = { keepers = "project" }', "gives test.AnimalId.keepers a role, but the field is not a single string", "only strings"),
        ('"test.Animal" = { id = "project" }', "gives test.Animal.id a role, but the field is not a single string", "only strings"),
    ],
)  # fmt: skip
def test_roles_of_fields_that_can_not_hold_them(
    fragment: Make, mistakes: Mistakes, toml: str, message: str, remedy: str
) -> None:
    (only,) = mistakes(fragment(PARKS, f"[scope]\n{toml}\n{ANIMAL}"))
    assert only.message == f"[scope] {message}"
    assert remedy in only.remedy
    assert only.place == "codegen.toml:6"


@pytest.mark.parametrize(
    ("toml", "message", "remedy"),
    [
        ('park = ["prk"]', "park names prk, but no message has such a field that is a string", "did you mean park?"),
        ('cage = ["cage"]', "cage names cage, but no message has such a field that is a string", "known: name, park"),
        ("park = []", "park is empty", 'name the fields that hold it, such as park = ["park"], or remove the line'),
    ],
)
def test_roles_without_fields(fragment: Make, mistakes: Mistakes, toml: str, message: str, remedy: str) -> None:
    (only,) = mistakes(fragment(PARKS, f"[roles]\n{toml}\n{ANIMAL}"))
    assert (only.message, only.place) == (f"[roles] {message}", "codegen.toml:6")
    assert remedy in only.remedy


def test_the_output_is_compiled(fragment: Make) -> None:
    made = fragment(
        PARKS, f'[roles]\npark = ["park"]\n[scope."test.AnimalId"]\n{ANIMAL}', output='templates = ["mine"]'
    )
    (made.root / "mine" / "services").mkdir(parents=True)
    (made.root / "mine" / "services" / "%service.py.j2").write_text("def twice(a: int, a: int) -> None: ...\n", "utf-8")
    with pytest.raises(CodegenError, match="duplicate argument 'a' in function definition") as raised:
        made.outcome()
    assert "services/test/animals.py:1" in str(raised.value)
