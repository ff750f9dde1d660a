from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar

import pytest

from flyte.errors import BlockingCallError
from flyte_rpc.sync import bridge


async def which_thread() -> str:
    await asyncio.sleep(0)
    return threading.current_thread().name


def test_plain_code_waits_for_a_coroutine() -> None:
    assert bridge.run(which_thread()) == "rpc-bridge"


async def test_works_inside_a_running_loop_as_in_a_notebook() -> None:
    assert bridge.run(which_thread()) == "rpc-bridge"


def test_works_from_many_threads_over_one_loop() -> None:
    async def loop_id() -> int:
        return id(asyncio.get_running_loop())

    with ThreadPoolExecutor(10) as pool:
        assert len(set(pool.map(lambda _: bridge.run(loop_id()), range(100)))) == 1


def test_errors_arrive_as_they_are() -> None:
    async def fail() -> None:
        raise TimeoutError("mine")

    with pytest.raises(TimeoutError, match="mine"):
        bridge.run(fail())


@pytest.mark.parametrize(
    "error", [SystemExit("log in first"), KeyboardInterrupt()], ids=lambda error: type(error).__name__
)
def test_an_exit_in_a_callback_is_raised_and_the_loop_goes_on(error: BaseException) -> None:
    async def exit_now() -> None:
        raise error

    async def exit_in_a_task() -> None:
        await asyncio.create_task(exit_now())

    async def wait() -> str:
        started.set()
        await go_on.wait()
        return "others"

    started, go_on = threading.Event(), asyncio.Event()
    other = bridge.start(wait())
    assert started.wait(20)
    for coro in (exit_now(), exit_in_a_task()):
        with pytest.raises(type(error)):
            bridge.run(coro)
    bridge.call_soon(go_on.set)
    assert other.result(20) == "others"


def test_context_variables_go_along_and_changes_stay_there() -> None:
    variable = ContextVar("variable", default="unset")

    async def read_and_change() -> str:
        found = variable.get()
        variable.set("changed")
        return found

    variable.set("mine")
    assert bridge.run(read_and_change()) == "mine"
    assert variable.get() == "mine"


def test_waiting_for_itself_is_refused() -> None:
    ran = False

    async def inner() -> None:
        nonlocal ran
        ran = True

    async def outer() -> None:
        bridge.run(inner())

    with pytest.raises(BlockingCallError, match=r"await its \.aio form"):
        bridge.run(outer())
    assert not ran


@pytest.mark.skipif(os.name != "posix", reason="sends a signal to itself")
def test_an_interrupt_cancels_what_was_waited_for() -> None:
    cancelled = threading.Event()

    async def interrupted() -> None:
        try:
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    with pytest.raises(KeyboardInterrupt):
        bridge.run(interrupted())
    assert cancelled.wait(20)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_has_a_loop_of_its_own() -> None:
    assert bridge.run(which_thread()) == "rpc-bridge"
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if bridge.run(which_thread()) == "rpc-bridge" else 1)
        except BaseException:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert bridge.run(which_thread()) == "rpc-bridge"


def test_the_interpreter_leaves_cleanly_with_work_on_the_loop() -> None:
    program = """
import asyncio
from flyte_rpc.sync import bridge
from flyte_rpc.entities.stream import Stream

async def endless():
    try:
        while True:
            yield 1
            await asyncio.Event().wait()
    finally:
        print("closed")

for item in (left := iter(Stream(endless))):
    break
"""
    done = subprocess.run([sys.executable, "-X", "dev", "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "closed\n", "")
