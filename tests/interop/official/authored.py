"""Tasks of the official SDK. It bundles this directory, and its entry point runs them on the devbox."""

import dataclasses
import os
import pathlib

import flyte.report

import flyte
import flyte.io

env = flyte.TaskEnvironment(name="authored", image=flyte.Image.from_base("localhost/any:1"))


@dataclasses.dataclass
class Box:
    width: int
    names: list[str]


@env.task
async def widen(box: Box) -> Box:
    print("widening", box.width)
    return Box(box.width + 1, [*box.names, "wide"])


@env.task
async def written(text: str) -> flyte.io.File:
    path = pathlib.Path("written.txt")
    path.write_text(text)
    return await flyte.io.File.from_local(str(path))


@env.task
async def read(file: flyte.io.File) -> str:
    async with file.open("rb") as stream:
        return bytes(await stream.read()).decode()


@flyte.trace
async def traced(number: int) -> int:
    return number + 1


@env.task(report=True)
async def whole(width: int) -> str:
    box = await widen(Box(width, ["a"]))
    text = await read(await written("content"))
    number = await traced(41)
    await flyte.report.replace.aio("<b>a report</b>")
    await flyte.report.flush.aio()
    return f"{box.width} {','.join(box.names)} {text} {number}"


with_secret = flyte.TaskEnvironment(
    name="secretive",
    image=flyte.Image.from_base("localhost/any:1"),
    secrets=flyte.Secret("their-key", as_env_var="THEIR_KEY"),
)


@with_secret.task
async def told() -> str:
    return os.environ["THEIR_KEY"].upper()


@env.task(retries=1)
async def failing() -> int:
    raise ValueError("as it should")


@env.task
async def slow() -> None:
    import asyncio

    await asyncio.sleep(600)
