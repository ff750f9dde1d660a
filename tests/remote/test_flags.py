"""Arguments that take True or False refuse everything else, before anything is sent."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import flyte
import flyte.access.login
import flyte.artifacts
import flyte.devbox
import flyte.io
import flyte.remote
import flyte.types
from flyte.remote import Task
from flyte_rpc.sync.decorators import Descriptor

_BOOLEAN = ("bool", "bool | None")
_MODULES = (flyte, flyte.remote, flyte.io, flyte.artifacts, flyte.types, flyte.devbox, flyte.access.login)
_OTHERS = {"map"}
"""Functions whose task is checked first; see `test_flags_of_map_and_values`."""


def flags(function: Any) -> list[str]:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    return [each.name for each in parameters if each.annotation in _BOOLEAN]


def public() -> Iterator[tuple[str, Callable[..., Any], tuple[Any, ...]]]:
    """All public functions and methods: name, how to call it, and the arguments that come first."""
    for module in _MODULES:
        for name in (each for each in dir(module) if not each.startswith("_")):
            found = getattr(module, name)
            if getattr(found, "__module__", "").partition(".")[0] != "flyte":
                continue
            if not isinstance(found, type):
                yield name, found, ()
                continue
            for attribute in (each for each in dir(found) if not each.startswith("_")):
                method = inspect.getattr_static(found, attribute)
                if not isinstance(method, Descriptor):
                    continue
                bound = getattr(found, attribute)
                first = next(iter(inspect.signature(bound).parameters), None)
                yield f"{name}.{attribute}", bound, (object.__new__(found),) if first == "self" else ()


CASES = {
    f"{name}({flag}=)": (function, first, flag)
    for name, function, first in public()
    if name not in _OTHERS
    for flag in flags(function)
}


def test_there_are_cases() -> None:
    expected = {
        "init(replace=)",
        "Action.listall(brief=)",
        "Run.watch(cache_data_on_done=)",
        "rerun(recover=)",
        "start(memory=)",
    }
    assert expected <= CASES.keys()


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_words_are_not_flags(case: tuple[Callable[..., Any], tuple[Any, ...], str]) -> None:
    function, first, flag = case
    with pytest.raises(TypeError, match=rf"^{flag} takes True or False, not 'no'$"):
        function(*first, **{flag: "no"})


def test_flags_by_position() -> None:
    with pytest.raises(TypeError, match=r"^recover takes True or False, not 1$"):
        flyte.rerun("r1", "a0", 1)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"^recover takes True or False, not None$"):
        flyte.with_runcontext().rerun("r1", "a0", None)  # type: ignore[arg-type]


async def test_flags_of_async_forms() -> None:
    with pytest.raises(TypeError, match=r"^recover takes True or False, not 'no'$"):
        await flyte.rerun.aio("r1", recover="no")  # type: ignore[arg-type]


def test_flags_of_map_and_values() -> None:
    with pytest.raises(TypeError, match=r"^return_exceptions takes True or False, not 'yes'$"):
        flyte.map(Task.get("t", version="1"), [1], return_exceptions="yes")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"^Cache\.serialize takes True or False, not 1$"):
        flyte.Cache("auto", serialize=1)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"^Metadata\.version_from_content takes True or False, not 0$"):
        flyte.artifacts.Metadata(name="m", version_from_content=0)  # type: ignore[arg-type]
