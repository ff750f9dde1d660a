"""A web back end on the client: one endpoint for each of its two forms."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI

import flyte
from flyte.remote import Run


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None, None]:
    async with flyte.Client(
        os.environ["DEVBOX"],
        token=os.environ["DEVBOX_TOKEN"],
        project=os.environ["DEVBOX_PROJECT"],
        domain="development",
    ) as client:
        app.state.client = client
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/loop")
async def loop() -> str:
    return type(asyncio.get_running_loop()).__module__


@app.get("/async")
async def list_async() -> list[str]:
    return [run.name async for run in Run.listall(client=app.state.client)]


@app.get("/sync")
def list_sync() -> list[str]:
    return [run.name for run in Run.listall(client=app.state.client)]
