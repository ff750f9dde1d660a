"""The other SDK's side of writing triggers: run by its interpreter, with one JSON request a line on standard input.

{"name": ..., "inputs": ..., "defaults": [...]} answers the spec and automation of a case for a task with these inputs, as
that SDK sends them. Messages travel as base64.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from flyte._internal.runtime.trigger_serde import to_task_trigger
from flyteidl2.core.interface_pb2 import VariableMap
from flyteidl2.task.common_pb2 import NamedParameter
from trigger_cases import CASES


async def answer(request: dict[str, Any]) -> dict[str, Any]:
    inputs = VariableMap.FromString(base64.b64decode(request["inputs"]))
    defaults = [NamedParameter.FromString(base64.b64decode(item)) for item in request["defaults"]]
    made = await to_task_trigger(CASES[request["name"]], "etl.report", inputs, defaults)
    return {
        name: base64.b64encode(message.SerializeToString()).decode()
        for name, message in (("spec", made.spec), ("automation", made.automation_spec))
    }


for line in sys.stdin:
    print("@" + json.dumps(asyncio.run(answer(json.loads(line)))), flush=True)
