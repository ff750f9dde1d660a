"""One client in an interpreter of its own: jobs as lines of JSON on standard input, results on standard output.

worker.py MODULE: the jobs are the functions of that module, coroutine functions among them; all run on one event loop.
"""

from __future__ import annotations

import asyncio
import gc
import inspect
import json
import os
import sys
import traceback
from importlib import import_module
from typing import Any


def main(module: str) -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a client prints is no answer
    jobs = import_module(module)
    with asyncio.Runner() as runner:
        for line in sys.stdin:
            request: dict[str, Any] = json.loads(line)
            job = getattr(jobs, request.pop("job"))
            gc.collect()
            try:
                result = runner.run(job(**request)) if inspect.iscoroutinefunction(job) else job(**request)
                answer = {"result": result}
            except Exception:
                answer = {"error": traceback.format_exc()}
            try:
                print(json.dumps(answer), file=answers, flush=True)
            except BrokenPipeError:
                os._exit(1)  # whoever asked is gone; closing the pipe would fail once more


if __name__ == "__main__":
    main(sys.argv[1])
