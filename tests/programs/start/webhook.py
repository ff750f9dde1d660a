"""Serve an HTTP endpoint that starts runs, with FastAPI."""

import asyncio
import json
import socket
from http.client import HTTPConnection
from typing import Any

import uvicorn
from fastapi import FastAPI, HTTPException, Request

import flyte
import flyte.errors
import flyte.remote as remote

flyte.init_from_config()
app = FastAPI()


@app.post("/run/{project}/{domain}/{name}")
async def run_task(project: str, domain: str, name: str, inputs: dict[str, Any], request: Request) -> dict[str, str]:
    task = remote.Task.get(project=project, domain=domain, name=name, auto_version="latest")
    with remote.auth_metadata(("x-request-of", request.headers.get("x-user", "nobody"))):
        try:
            run = await flyte.run.aio(task, **inputs)
        except flyte.errors.RemoteTaskNotFoundError as error:
            raise HTTPException(404, f"no task {name}") from error
    return {"name": run.name, "url": run.url}


@app.get("/status/{name}")
async def status(name: str) -> dict[str, Any]:
    run = await remote.Run.get.aio(name=name)
    await run.wait.aio(quiet=True)
    details = await run.details.aio()
    return {"phase": details.action_details.phase.name, "done": details.done()}


def ask(port: int, method: str, path: str, body: Any = None) -> dict[str, Any]:
    connection = HTTPConnection("127.0.0.1", port)
    connection.request(method, path, json.dumps(body), {"content-type": "application/json", "connection": "close"})
    return json.loads(connection.getresponse().read())


async def main() -> None:
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    place = f"/run/{flyte.current_project()}/development"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        started = await asyncio.to_thread(ask, port, "POST", f"{place}/weather.fahrenheit", {"celsius": 1})
        print(sorted(started), await asyncio.to_thread(ask, port, "GET", f"/status/{started['name']}"))
        print(await asyncio.to_thread(ask, port, "POST", f"{place}/weather.rain", {}))
        server.should_exit = True
        await serving


asyncio.run(main())

# Prints:
# ['name', 'url'] {'phase': 'SUCCEEDED', 'done': True}
# {'detail': 'no task weather.rain'}
