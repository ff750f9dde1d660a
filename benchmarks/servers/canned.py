"""What both servers answer: serialised once, by upb, and sent as it is from then on."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "clients"))

import implementations
import shapes
from flyteidl2.workflow import run_service_pb2 as service

PAGE = 100
UPDATES = 20

_upb = implementations.upb()


@cache
def _page(number: int) -> bytes:
    runs = [shapes.run(_upb.classes, at) for at in range(number * PAGE, (number + 1) * PAGE)]
    return _upb.encode(_upb.classes.ListRunsResponse(runs=runs))


def list_runs(request: bytes) -> tuple[bytes, ...]:
    """A page of as many runs as the name of the project says: `runs-10000` has so many."""
    asked = service.ListRunsRequest.FromString(request)
    number = int(asked.request.token or 0)
    last = (number + 1) * PAGE >= int(asked.project_id.name.rpartition("-")[2])
    token = b"" if last else str(number + 1).encode()
    return (_page(number) + (bytes((0x12, len(token))) + token if token else b""),)


@cache
def _run_details(name: str) -> bytes:
    details = shapes.details(_upb.classes, int(name[1:]), UPDATES - 1, UPDATES)
    spec = _upb.classes.RunSpec()
    return _upb.encode(
        _upb.classes.GetRunDetailsResponse(details=_upb.classes.RunDetails(run_spec=spec, action=details))
    )


def get_run_details(request: bytes) -> tuple[bytes, ...]:
    return (_run_details(service.GetRunDetailsRequest.FromString(request).run_id.name),)


@cache
def _updates(name: str) -> tuple[bytes, ...]:
    number = int(name[1:])
    every = (shapes.details(_upb.classes, number, at, UPDATES) for at in range(UPDATES))
    return tuple(_upb.encode(_upb.classes.WatchActionDetailsResponse(details=details)) for details in every)


def watch_action_details(request: bytes) -> tuple[bytes, ...]:
    """All updates of an action, the last of which is final."""
    return _updates(service.WatchActionDetailsRequest.FromString(request).action_id.run.name)


ANSWERS = {
    "/flyteidl2.workflow.RunService/ListRuns": list_runs,
    "/flyteidl2.workflow.RunService/GetRunDetails": get_run_details,
    "/flyteidl2.workflow.RunService/WatchActionDetails": watch_action_details,
}
STREAMED = {"/flyteidl2.workflow.RunService/WatchActionDetails"}
