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


def test_the_output_is_compiled(fragment: Make) -> None:
    made = fragment(
        PARKS, f'[roles]\npark = ["park"]\n[scope."test.AnimalId"]\n{ANIMAL}', output='templates = ["mine"]'
    )
    (made.root / "mine" / "services").mkdir(parents=True)
    (made.root / "mine" / "services" / "%service.py.j2").write_text("def twice(a: int, a: int) -> None: ...\n", "utf-8")
    with pytest.raises(CodegenError, match="duplicate argument 'a' in function definition") as raised:
        made.outcome()
    assert "services/test/animals.py:1" in str(raised.value)
