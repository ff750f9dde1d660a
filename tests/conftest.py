from __future__ import annotations

import asyncio
import gc
import os
import signal
from collections.abc import Callable, Mapping

import pytest
from hypothesis import settings

try:
    import uvloop
except ImportError:  # there is none for this system
    uvloop = None  # type: ignore[assignment]

# A shell that starts the tests in the background leaves SIGINT ignored; tests of interrupts need it.
signal.signal(signal.SIGINT, signal.default_int_handler)

# They need proxies, which `make interop` says and `.ci/run` installs.
collect_ignore = [] if os.environ.get("INTEROP") else ["proxies"]

# How long an example takes depends on what else the machine does.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


_ON_UVLOOP = ("calls", "transports", "connect", "network")
_ON_ONE_LOOP = ("test_servers.py",)
"""Tests that move much data, of transports that other tests run on both loops."""


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Tests of calls and transports run on both event loops that users have."""
    factories: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.new_event_loop}
    if item.path.parent.name in _ON_UVLOOP and item.path.name not in _ON_ONE_LOOP and uvloop is not None:
        factories["uvloop"] = uvloop.new_event_loop
    return factories


def pytest_collection_finish() -> None:
    """Leave what the collection made out of all later garbage collections: walking it takes a tenth of the time."""
    gc.collect()
    gc.freeze()
