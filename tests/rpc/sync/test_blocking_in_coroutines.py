"""Blocking calls in coroutines stop their event loop and say so; calls in cells of a notebook do not."""

from __future__ import annotations

import ast
import asyncio
import threading
import types
import warnings
from collections.abc import Callable

import pytest

from flyte_rpc.entities.pager import Page, Pager
from flyte_rpc.entities.stream import Stream
from flyte_rpc.errors import BlockingCallError, BlockingCallWarning, SdkWarning
from flyte_rpc.sync.decorators import blocking, blocking_function


@blocking_function
async def double(value: int) -> int:
    return 2 * value


class Thing:
    @blocking
    async def size(self) -> int:
        return 3


def pager() -> Pager[int]:
    async def fetch(token: str, size: int) -> Page[int]:
        return Page([1, 2], "")

    return Pager(fetch, limit=None, page_size=2)


def stream() -> Stream[int]:
    async def source():  # type: ignore[no-untyped-def]
        yield 1

    return Stream(source)


def helper() -> int:
    return double(2)


CALLS: list[tuple[Callable[[], object], str]] = [
    (lambda: double(2), r"write `await double\.aio\(\.\.\.\)`"),
    (lambda: Thing().size(), r"write `await Thing\.size\.aio\(\.\.\.\)`"),
    (helper, r"write `await double\.aio\(\.\.\.\)`"),
    (lambda: list(pager()), "use `async for`"),
    (lambda: list(pager().pages()), "use `async for`"),
    (lambda: list(stream()), "use `async for`"),
]


@pytest.mark.parametrize(("call", "advice"), CALLS)
async def test_a_coroutine_is_told(call: Callable[[], object], advice: str) -> None:
    with pytest.warns(BlockingCallWarning, match=f"stops the event loop until it returns; {advice}") as caught:
        call()
    assert {warning.filename for warning in caught} == {__file__}


async def test_each_line_is_told_once() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(3):
            double(1)
        double(2)
    assert len(caught) == 2


async def test_filters_turn_it_off_or_into_an_error() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", BlockingCallWarning)
        assert double(2) == 4
    with warnings.catch_warnings():
        warnings.simplefilter("error", SdkWarning)
        with pytest.raises(BlockingCallWarning):
            double(2)


@pytest.mark.parametrize(("call", "advice"), CALLS)
def test_plain_code_is_not(call: Callable[[], object], advice: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        call()


async def test_threads_beside_a_loop_are_not() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert await asyncio.to_thread(double, 2) == 4
        done: list[int] = []
        thread = threading.Thread(target=lambda: done.append(helper()))
        thread.start()
        await asyncio.to_thread(thread.join)
        assert done == [4]


async def run_cell(source: str, namespace: dict[str, object]) -> None:
    """Run a cell as IPython does: in a coroutine, compiled with support for await at the top."""
    code = compile(source, "<cell>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    result = eval(code, namespace)
    if isinstance(result, types.CoroutineType):
        await result


@pytest.mark.parametrize(
    "cell",
    [
        "found = double(2)",
        "def inner():\n    return double(2)\nfound = inner()",
        "import asyncio\nawait asyncio.sleep(0)\nfound = double(2)",
        "found = [double(2) for _ in range(1)][0]",
    ],
)
async def test_cells_of_a_notebook_are_not(cell: str) -> None:
    namespace: dict[str, object] = {"double": double}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        await run_cell(cell, namespace)
    assert namespace["found"] == 4


async def test_coroutines_of_a_notebook_are() -> None:
    with pytest.warns(BlockingCallWarning):
        await run_cell("async def main():\n    return double(2)\nawait main()", {"double": double})


async def test_cells_of_ipython() -> None:
    shell = pytest.importorskip("IPython.core.interactiveshell").InteractiveShell.instance()
    shell.user_ns["double"] = double
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (await shell.run_cell_async("found = double(2)")).success
        assert (await shell.run_cell_async("import asyncio\nawait asyncio.sleep(0)\nfound = double(2)")).success


@pytest.mark.parametrize("made", [pager, stream])
def test_listings_and_streams_are_no_sequences(made: Callable[[], object]) -> None:
    found = made()
    name = type(found).__name__
    with pytest.raises(TypeError, match=f"a {name} has no length.*write len"):
        len(found)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=rf"a {name} has no items by position; write .*\[0\]"):
        found[0]  # type: ignore[index]
    assert bool(found) is True and list(found)[0] == 1  # type: ignore[call-overload]  # noqa: RUF015


@pytest.mark.parametrize("made", [pager, stream])
async def test_listings_and_streams_are_not_awaited(made: Callable[[], object]) -> None:
    with pytest.raises(TypeError, match="cannot be awaited; write `async for item in"):
        await made()  # type: ignore[misc]


def test_the_error_of_the_bridge_is_no_warning() -> None:
    assert not issubclass(BlockingCallError, Warning)
