"""A program that waits for an action that fails, for a test of what it shows on a terminal."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

from flyte.remote import ActionDetails
from flyte.remote.runs import waiting
from flyte_api.messages.flyteidl2.common.phase import ActionPhase
from flyte_api.messages.flyteidl2.workflow.run_definition import ActionDetails as DetailsMessage
from flyte_api.messages.flyteidl2.workflow.run_definition import ActionStatus, ErrorInfo
from flyte_rpc.entities.watch import Watch


async def states() -> AsyncIterator[ActionDetails]:
    """Yield an action that starts, and ends in the phase that the command line names."""
    yield ActionDetails(DetailsMessage(status=ActionStatus(phase=ActionPhase.RUNNING, attempts=1)))
    phase = ActionPhase[sys.argv[1]]
    error = ErrorInfo(message="broken [red]brackets[/red]\nsecond line") if phase is ActionPhase.FAILED else None
    yield ActionDetails(DetailsMessage(status=ActionStatus(phase=phase, attempts=2), error_info=error))


watch = Watch(states, is_final=lambda details: details.done(), timeout=60)
print(asyncio.run(waiting.wait(watch, wait_for="terminal", quiet=False, title="Run [b]r1[/b]")))
