"""The other SDK's side of the exchange: run by its interpreter, with one JSON request a line on standard input.

{"do": "write", "name": ...} answers the type and literal of a shape, as that SDK writes them.
{"do": "read", "name": ..., "type": ..., "literal": ...} answers whether it reads back the shape's own value, and what it
reads without knowing the class.
{"do": "partition", "name": ...} answers how it publishes a partition, and the filters by which it finds it.
Messages travel as base64.
"""

from __future__ import annotations

import asyncio
import base64
import json
import math
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import shapes
from flyte.artifacts._partitions import partitions_to_pb2
from flyte.remote._artifact import partition_filters
from flyteidl2.core.literals_pb2 import Literal
from flyteidl2.core.types_pb2 import LiteralType

from flyte._context import internal_ctx
from flyte.artifacts import TimePartition
from flyte.io import DataFrame, Dir, File
from flyte.models import RawDataPath
from flyte.types import TypeEngine

REFERENCES: dict[str, tuple[Any, Any]] = {
    "file": (File, File(path="s3://b/k.csv", format="csv", hash="h")),
    "dir": (Dir, Dir(path="s3://b/d")),
    "data frame": (DataFrame, DataFrame(uri="s3://b/f", format="parquet")),
    "pickle": (set, {1}),
}
PICKLED = {name: (kind, value) for name, (kind, value, _) in shapes.PICKLED.items()}


def encoded(message: Any) -> str:
    return base64.b64encode(message.SerializeToString()).decode()


def same(left: Any, right: Any) -> bool:
    if isinstance(left, float) and math.isnan(left):
        return math.isnan(right)
    if isinstance(left, File | Dir):
        return (left.path, type(left)) == (right.path, type(right))
    if isinstance(left, DataFrame):
        return (left.uri, left.format) == (right.uri, right.format)
    return type(left) is type(right) and left == right


def partition(name: str) -> dict[str, Any]:
    wanted = shapes.partitions(TimePartition)[name]
    texts, time = partitions_to_pb2(wanted)
    messages = {"texts": texts, "time": time}
    return {key: message and encoded(message) for key, message in messages.items()} | {
        "filters": [encoded(each) for each in partition_filters(wanted)]
    }


async def answer(request: dict[str, Any]) -> dict[str, Any]:
    if request["do"] == "partition":
        return partition(request["name"])
    kind, value = (shapes.every_shape() | REFERENCES | PICKLED)[request["name"]]
    if request["do"] == "write":
        literal_type = TypeEngine.to_literal_type(kind)
        return {
            "type": encoded(literal_type),
            "literal": encoded(await TypeEngine.to_literal(value, kind, literal_type)),
        }
    literal = Literal.FromString(base64.b64decode(request["literal"]))
    literal_type = LiteralType.FromString(base64.b64decode(request["type"]))
    if request["name"] in PICKLED:
        # That SDK has the type only under another name.
        kind = shapes.PICKLED[request["name"]][2] or TypeEngine.guess_python_type(literal_type)
    read = await TypeEngine.to_python_value(literal, kind)
    reply = {"same": same(value, read), "read": repr(read)}
    try:
        guessed = TypeEngine.guess_python_type(literal_type)
        reply["guessed"] = repr(await TypeEngine.to_python_value(literal, guessed))
    except Exception as error:
        reply["not guessed"] = f"{type(error).__name__}: {error}"[:300]
    return reply


async def answer_with_storage(request: dict[str, Any]) -> dict[str, Any]:
    # Where it keeps what is too large for a literal; as cwd, so that it is gone with the test's directory.
    with internal_ctx().new_raw_data_path(RawDataPath.from_local_folder(Path.cwd())):
        return await answer(request)


def main() -> None:
    for line in sys.stdin:
        try:
            reply = asyncio.run(answer_with_storage(json.loads(line)))
        except Exception as error:
            reply = {"error": f"{type(error).__name__}: {error}"}
        print("@" + json.dumps(reply), flush=True)


if __name__ == "__main__":
    main()
