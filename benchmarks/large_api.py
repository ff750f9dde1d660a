"""Importing a service and an entity of a large API: ours, and google's protobuf with grpc's stubs, from one made-up set of definitions.

The API has the size of a workflow engine's: about 700 messages in 240 kB of descriptors, a service of 130 methods, and a oneof of 60 events.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .bench import PYTHONS, Bench
from .harness import LIMIT, OURS, Measure, Sample, Value
from .processes import Command, run

MEGABYTE = 1_000_000
SUBJECTS = ("common", "command", "deployment", "namespace", "nexus", "query", "schedule", "taskqueue", "update")
METHODS = 130
EVENTS = 60

HEAD = 'syntax = "proto3";\npackage engine.{0}.v1;\nimport "google/protobuf/duration.proto";\nimport "google/protobuf/timestamp.proto";\n'
TOML = """
[input]
protos = ["protos"]

[output]
package = "engine_api"
path = "out/engine_api"

[entities.Thing]
message = "engine.service.v1.Get1Response"
service = "engine.service.v1.EngineService"
identity = "name"
[entities.Thing.methods]
Get1 = { name = "get" }
"""
OUR_IMPORTS = """
from engine_api.entities.thing import ThingBase
from engine_api.messages.engine.service.v1.messages import Get1Request, Get1Response
from engine_api.services.engine.service.v1.engine_service import EngineService
from flyte_rpc.calls.client import Client
client = Client("http://127.0.0.1:1")
print(len(bytes(Get1Request(name="a"))), Get1Response.parse(bytes(Get1Response(name="b"))).name)
"""
THEIR_IMPORTS = """
import grpc
from engine.service.v1.messages_pb2 import Get1Request, Get1Response
from engine.service.v1.service_pb2_grpc import EngineServiceStub
stub = EngineServiceStub(grpc.insecure_channel("127.0.0.1:1"))
print(len(Get1Request(name="a").SerializeToString()), Get1Response.FromString(Get1Response(name="b").SerializeToString()).name)
"""


def message(name: str, number: int, others: list[str]) -> str:
    """A message with fields of common kinds, and two of the messages before it."""
    fields = [
        *("string name", "string namespace", "int64 version", "bytes token", "repeated string labels"),
        *("google.protobuf.Timestamp created", "google.protobuf.Duration timeout", "map<string, string> notes"),
    ]
    fields = fields[: 5 + number % 4] + [f"{other} part{i}" for i, other in enumerate(others[-2:])]
    return f"message {name} {{ {' '.join(f'{field} = {i};' for i, field in enumerate(fields, 1))} }}\n"


def definitions() -> Iterator[tuple[str, str]]:
    """Yield the .proto files: path and text."""
    known: list[str] = []
    imports = ""
    for subject in SUBJECTS:
        text = HEAD.format(subject) + imports
        for number in range(40):
            name = f"{subject.capitalize()}{number}"
            text += message(name, number, known)
            known.append(f"engine.{subject}.v1.{name}")
        path = f"engine/{subject}/v1/message.proto"
        imports += f'import "{path}";\n'
        yield path, text
    events = [f"Event{number}Attributes" for number in range(EVENTS)]
    text = HEAD.format("history") + imports + "".join(message(name, i, known) for i, name in enumerate(events))
    members = " ".join(f"{name} event{i} = {i + 10};" for i, name in enumerate(events))
    yield (
        "engine/history/v1/message.proto",
        f"{text}message Event {{ int64 id = 1; oneof attributes {{ {members} }} }}\n",
    )
    text = HEAD.format("service") + imports + 'import "engine/history/v1/message.proto";\n'
    for number in range(METHODS):
        text += message(f"Get{number}Request", 0, []) + message(f"Get{number}Response", number, known[number:])
    yield "engine/service/v1/messages.proto", f"{text}message Page {{ repeated engine.history.v1.Event events = 1; }}\n"
    rpcs = "\n".join(f"rpc Get{i}(Get{i}Request) returns (Get{i}Response);" for i in range(METHODS))
    text = HEAD.format("service") + 'import "engine/service/v1/messages.proto";\n'
    yield "engine/service/v1/service.proto", f"{text}service EngineService {{ {rpcs} }}\n"


def build(bench: Bench) -> Path:
    """Generate both clients of the API, once in a run, and return their folder."""
    folder = bench.directory / "large_api"
    if folder.exists():
        return folder
    for path, text in definitions():
        target = folder / "protos" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    (folder / "codegen.toml").write_text(TOML)
    (folder / "pb2").mkdir()
    run([PYTHONS["ours"].parent / "flyte-codegen", "generate"], cwd=folder, env=bench.env)
    protos = sorted(path.relative_to(folder / "protos") for path in (folder / "protos").rglob("*.proto"))
    compile_all: Command = [
        bench.tools(),
        "-m",
        "grpc_tools.protoc",
        "-I.",
        "--python_out=../pb2",
        "--grpc_python_out=../pb2",
    ]
    run([*compile_all, *protos], cwd=folder / "protos", env=bench.env)
    return folder


def imported(side: str) -> Sample:
    """A process that imports one service and, of ours, one entity, and encodes and decodes a message."""
    python, code, packages = {
        OURS: (PYTHONS["ours"], OUR_IMPORTS, "out"),
        LIMIT: (PYTHONS["tools"], THEIR_IMPORTS, "pb2"),
    }[side]

    def sample(bench: Bench) -> dict[str, Any]:
        folder = build(bench)
        ended = run([python, "-c", code], cwd=folder, env={**bench.env, "PYTHONPATH": str(folder / packages)})
        return {"seconds": 1000 * ended.seconds, "peak": ended.peak_bytes / MEGABYTE, "check": ended.output}

    return sample


MEASURE = Measure(
    (Value("import_large_api", "ms", "seconds"), Value("import_large_api_memory", "MB peak", "peak")),
    {side: imported(side) for side in (OURS, LIMIT)},
)
