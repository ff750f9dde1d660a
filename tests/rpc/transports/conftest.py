from __future__ import annotations

import pytest

from flyte_rpc.calls.client import Client

GOAWAY = "h2 takes no frames after a GOAWAY, so the calls in flight are lost"
ONE = "grpclib has one connection to an endpoint"
OWN_RULES = "h2 has rules, codes and messages of its own"
NO_LIMIT = "grpclib has no limit for it"
FIXED = "grpclib has fixed windows"

GRPCLIB_CANNOT = {
    "test_a_graceful_goaway_lets_calls_finish_and_moves_later_ones": GOAWAY,
    "test_what_waits_goes_over_the_next_connection": GOAWAY,
    "test_a_server_that_ends_every_connection_is_not_called_for_ever": GOAWAY,
    "test_a_further_connection_is_closed_when_it_is_idle": ONE,
    "test_a_server_that_takes_no_further_connection_serves_on_the_one_it_has": ONE,
    "test_a_thousand_watches_and_a_thousand_calls_at_once": ONE,
    "test_watches_leave_room_for_other_calls": ONE,
    "test_the_connection_ends": OWN_RULES,
    "test_only_the_call_ends": OWN_RULES,
    "test_nothing_comes_between_the_frames_of_a_header_block": OWN_RULES,
    "test_a_header_block_has_limits": NO_LIMIT,
    "test_a_flood_of_frames_that_carry_nothing_ends_the_connection": NO_LIMIT,
    "test_a_peer_that_pings_and_does_not_read_is_not_read_any_more": NO_LIMIT,
    "test_a_message_may_be_larger_than_the_window": FIXED,
    "test_a_reader_that_falls_behind_holds_up_its_own_stream_only": FIXED,
}
"""What works over the client's own gRPC transport only, and why."""

ONE_TRANSPORT = (
    "test_grpc_server.py",
    "test_headers.py",
    "test_keepalive.py",
    "test_misuse.py",
    "test_streaming_calls.py",
)
"""Tests of servers, of parts of the client's own HTTP/2, and those that choose transports themselves."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    once = metafunc.definition.path.name in ONE_TRANSPORT or "transport" in metafunc.fixturenames
    cannot = GRPCLIB_CANNOT.get(metafunc.function.__name__)
    marks = [pytest.mark.skip(reason=cannot)] if cannot else []
    names = ["grpc"] if once else ["grpc", pytest.param("grpclib", marks=marks)]
    metafunc.parametrize("transport_name", names, indirect=True)


@pytest.fixture(autouse=True)
def transport_name(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The transport of clients that name none."""
    name: str = request.param
    monkeypatch.setitem(Client.__init__.__kwdefaults__, "transport", name)
    return name
