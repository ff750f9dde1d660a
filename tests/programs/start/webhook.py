"""A web service that starts runs with the rights of its callers."""

from typing import Any

import flyte
import flyte.errors
import flyte.remote as remote
from fastapi import FastAPI, HTTPException, Request
from fastapi.testclient import TestClient

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


with TestClient(app) as browser:
    place = f"/run/{flyte.current_project()}/development"
    started = browser.post(f"{place}/weather.fahrenheit", json={"celsius": 1}, headers={"x-user": "ada"}).json()
    print(sorted(started), browser.get(f"/status/{started['name']}").json())
    print(browser.post(f"{place}/weather.rain", json={}).json())

# Prints:
# ['name', 'url'] {'phase': 'SUCCEEDED', 'done': True}
# {'detail': 'no task weather.rain'}
