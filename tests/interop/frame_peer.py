"""The other SDK's side of the exchange of frames and arrays. Protocol: see peer.py; messages travel as base64.

{"do": "write", "name": ...} answers the type and literal of a shape, stored on disk, as that SDK writes them.
{"do": "read", "name": ..., "type": ..., "literal": ...} answers whether it reads back the shape's own value, and the class that
it reads without knowing it.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import frame_shapes as shapes
from flyte.io._dataframe import lazy_import_dataframe_handler
from flyteidl2.core.literals_pb2 import Literal
from flyteidl2.core.types_pb2 import LiteralType

from flyte._context import internal_ctx
from flyte.io import DataFrame, File
from flyte.models import RawDataPath
from flyte.types import TypeEngine

WRAPPED = (DataFrame, DataFrame.wrap_df(shapes.FRAME))


@dataclass
class Holding:
    name: str
    frame: DataFrame


HELD = (Holding, Holding("x", DataFrame.wrap_df(shapes.FRAME)))


def encoded(message: Any) -> str:
    return base64.b64encode(message.SerializeToString()).decode()


async def answer(request: dict[str, Any]) -> dict[str, Any]:
    known = shapes.FRAMES | {"array": (shapes.np.ndarray, shapes.ARRAY), "wrapped": WRAPPED, "held": HELD}
    kind, value = known[request["name"]]
    if request["do"] == "write":
        literal_type = TypeEngine.to_literal_type(kind)
        literal = await TypeEngine.to_literal(value, kind, literal_type)
        return {"type": encoded(literal_type), "literal": encoded(literal)}
    literal = Literal.FromString(base64.b64decode(request["literal"]))
    literal_type = LiteralType.FromString(base64.b64decode(request["type"]))
    guessed = TypeEngine.guess_python_type(literal_type)
    if request["name"] == "array":
        file = await TypeEngine.to_python_value(literal, File)
        read: Any = shapes.np.load(Path(file.path.removeprefix("file://")), allow_pickle=False)
        return {"same": shapes.same(read, value), "guessed": guessed.__name__, "format": file.format}
    if request["name"] == "wrapped":
        frame = await TypeEngine.to_python_value(literal, DataFrame)
        read, value = await frame.open(shapes.pd.DataFrame).all(), shapes.FRAME
    elif request["name"] == "held":
        held = await TypeEngine.to_python_value(literal, Holding)
        read, value = await held.frame.open(shapes.pd.DataFrame).all(), shapes.FRAME
    else:
        read = await TypeEngine.to_python_value(literal, kind)
    return {"same": shapes.same(read, value), "read": repr(read), "guessed": str(guessed)}


async def answer_with_storage(request: dict[str, Any]) -> dict[str, Any]:
    with internal_ctx().new_raw_data_path(RawDataPath.from_local_folder(Path.cwd())):
        return await answer(request)


def main() -> None:
    lazy_import_dataframe_handler()
    for line in sys.stdin:
        try:
            reply = asyncio.run(answer_with_storage(json.loads(line)))
        except Exception as error:
            reply = {"error": f"{type(error).__name__}: {error}"}
        print("@" + json.dumps(reply), flush=True)


if __name__ == "__main__":
    main()
