"""Running tests over another transport than the default one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from flyte_rpc.transports import choice
from flyte_rpc.transports.connect.transport import ConnectTransport, HttpVersion
from flyte_rpc.transports.endpoint import Endpoint
from flyte_rpc.transports.transport import TransportFactory

VARIABLE = "FLYTE_TEST_TRANSPORT"
"""The environment variable that names the transport: grpc, grpclib, connect-1.1 or connect-2. Default: what clients choose."""

_HTTP: dict[str, HttpVersion] = {"connect-1.1": "1.1", "connect-2": "2"}

MODE = os.environ.get(VARIABLE, "")


@contextmanager
def transport_of(mode: str) -> Iterator[None]:
    """Use a transport for all clients in this process that leave the choice to the library.

    Args:
        mode: A value of the environment variable. Empty for no change.
    """
    if not mode:
        yield
        return
    original = choice.transport_factory

    def chosen(transport: Any, user_agent: str, *network: Any) -> TransportFactory:
        if transport != "auto":
            return original(transport, user_agent, *network)
        if mode not in _HTTP:
            return original(mode, user_agent, *network)  # type: ignore[arg-type]

        def connect(endpoint: Endpoint) -> ConnectTransport:
            return ConnectTransport(endpoint, user_agent=user_agent, http=_HTTP[mode])

        return connect

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choice, "transport_factory", chosen)
        yield
