"""Projects of another team: what they generate with our wheel is fresh, passes their tests, and satisfies both type checkers."""

from __future__ import annotations

from pathlib import Path

from downstream.conftest import Place


def test_everything_of_ours_comes_from_the_wheel(place: Place) -> None:
    code = "import flyte, flyte_api, flyte_codegen as g; print(flyte.__file__, flyte_api.__file__, g.__file__)"
    for path in place.run(place.python, "-c", code).split():
        assert Path(path).is_relative_to(place.environment)


def test_their_tests_pass(place: Place, project: Path) -> None:
    assert " passed" in place.run("make", "test", cwd=project)


def test_their_checks_pass(place: Place, project: Path) -> None:
    said = place.run("make", "check", cwd=project)
    assert "is up to date" in said
    assert "0 errors" in said
