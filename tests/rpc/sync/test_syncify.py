from __future__ import annotations

import asyncio
import copy
import inspect
import pydoc
import threading
from collections.abc import AsyncGenerator
from typing import Any, Self

import pytest

from flyte_rpc.entities.listing import listing
from flyte_rpc.entities.pager import Page, Pager
from flyte_rpc.entities.stream import Stream
from flyte_rpc.sync.decorators import blocking, blocking_function, fetching, streaming


class Thing:
    def __init__(self, name: str = "", thread: str = "") -> None:
        self.name = name
        self.thread = thread

    @fetching
    @classmethod
    async def get(cls, name: str, *, version: int = 1) -> Self:
        """Fetch a thing.

        Args:
            name: Its name.
        """
        await asyncio.sleep(0)
        return cls(f"{name}:{version}", threading.current_thread().name)

    @listing
    @classmethod
    def listall(cls, *, limit: int | None = None) -> Pager[Self]:
        """List things."""

        async def fetch(token: str, size: int) -> Page[Self]:
            return Page([cls(str(n)) for n in range(3)], "")

        return Pager(fetch, limit=limit, page_size=10)

    @blocking
    async def rename(self, name: str) -> str:
        """Rename the thing."""
        self.name, old = name, self.name
        return old

    @blocking
    @classmethod
    async def count(cls, factor: int = 1) -> int:
        return len(cls.__name__) * factor

    @streaming
    def lines(self, upto: int) -> Stream[str]:
        """Lines of the thing."""

        async def source() -> AsyncGenerator[str, None]:
            for n in range(upto):
                yield f"{self.name} {n}"

        return Stream(source)


class Special(Thing):
    pass


def test_the_class_it_is_called_on_is_what_comes() -> None:
    assert type(Thing.get("a")) is Thing
    assert type(Special.get("a", version=2)) is Special
    assert type(Special().get("a")) is Special
    assert [type(thing) for thing in Special.listall(limit=2)] == [Special, Special]


async def test_aio_runs_on_the_callers_loop() -> None:
    assert (await Special.get.aio("a")).thread == threading.current_thread().name
    assert Special.get("a").thread == "rpc-bridge"
    assert [thing.name async for thing in Special.listall.aio()] == ["0", "1", "2"]


def test_methods_are_bound_as_usual() -> None:
    thing = Thing("a")
    assert thing.rename("b") == "a"
    assert Thing.rename(thing, "c") == "b"
    assert asyncio.run(thing.rename.aio("d")) == "c"
    assert (Special.count(), Special().count(2)) == (7, 14)
    assert list(thing.lines(2)) == list(Thing.lines(thing, 2)) == ["d 0", "d 1"]


def test_wrong_arguments_fail_at_the_call() -> None:
    with pytest.raises(TypeError, match=r"^Thing.get\(\) has no argument 'vresion'; did you mean 'version'\?"):
        Thing.get("a", vresion=2)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"^Special.get\(\) missing a required argument: 'name'"):
        Special.get.aio()  # type: ignore[call-arg]
    with pytest.raises(
        TypeError, match=r"^Special.listall\(\) takes no argument by position, and 1 were given; pass the others"
    ):
        Special.listall(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"^Special.rename\(\) missing a required argument"):
        Special().rename()  # type: ignore[call-arg]


def test_errors_of_the_function_itself_stay_as_they_are() -> None:
    @blocking_function
    async def fails(value: int) -> int:
        return value + "x"  # type: ignore[operator]

    with pytest.raises(TypeError, match="unsupported operand"):
        fails(3)


@pytest.mark.parametrize("arguments", [(), ("x",), (3, "x")])
def test_a_method_of_instances_on_the_class(arguments: tuple[object, ...]) -> None:
    for call in (Special.rename, Special.rename.aio, Special.lines):
        with pytest.raises(TypeError, match=r"^Special\.\w+\(\) is a method of one Special.* special\.\w+\(\.\.\.\)"):
            call(*arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("method", "name", "signature", "doc"),
    [
        (Thing.get, "get", "(name: 'str', *, version: 'int' = 1) -> 'Self'", "Fetch a thing."),
        (Thing().rename, "rename", "(name: 'str') -> 'str'", "Rename the thing."),
        (Thing.rename, "rename", "(self, name: 'str') -> 'str'", "Rename the thing."),
        (Thing.listall, "listall", "(*, limit: 'int | None' = None) -> 'Pager[Self]'", "List things."),
        (Thing().lines, "lines", "(upto: 'int') -> 'Stream[str]'", "Lines of the thing."),
    ],
)
def test_tools_see_the_function(method: Any, name: str, signature: str, doc: str) -> None:
    assert (method.__name__, method.__qualname__, method.__module__) == (name, f"Thing.{name}", __name__)
    assert str(inspect.signature(method)) == signature
    assert (inspect.getdoc(method) or "").splitlines()[0] == doc
    assert inspect.unwrap(method).__name__ == name
    assert not inspect.iscoroutinefunction(method), "calling it does not give something to await"
    assert f"Thing.{name}" in repr(method)


def test_help_lists_them_as_methods() -> None:
    shown = pydoc.render_doc(Thing, renderer=pydoc.plaintext)
    methods = shown[shown.index("Methods defined here") :]
    assert "get(name: 'str', *, version: 'int' = 1) -> 'Self'" in methods
    assert "Fetch a thing." in methods
    assert "rename(self, name: 'str') -> 'str'" in methods


def test_can_be_copied() -> None:
    assert copy.copy(Thing.get)("a").name == "a:1"
