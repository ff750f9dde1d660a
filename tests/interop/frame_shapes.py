"""The frames and arrays that both SDKs exchange. Imported by either environment, so it names neither SDK."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import pandas as pd
import pyarrow as pa

FRAME = pd.DataFrame(
    {
        "n": [1, 2, 3],
        "x": [0.5, None, 2.5],
        "t": ["é", "", None],
        "when": pd.to_datetime(["2024-02-29", "1970-01-01", None]).as_unit("us"),
        "yes": [True, False, True],
    }
)
TABLE = pa.table({"n": [1, 2], "nested": [[1.5], []]})
COLUMNS = {"n": int, "x": float}
# Annotation and value by name.
FRAMES: dict[str, tuple[Any, Any]] = {
    "pandas": (pd.DataFrame, FRAME),
    "pandas without rows": (pd.DataFrame, FRAME.iloc[:0]),
    "pandas with an index": (pd.DataFrame, FRAME.set_index("n")),
    "pandas with columns": (Annotated[pd.DataFrame, COLUMNS], FRAME[[*COLUMNS]]),
    "optional": (pd.DataFrame | None, FRAME),
    "list": (list[pd.DataFrame], [FRAME, FRAME.iloc[1:]]),
    "dict": (dict[str, pd.DataFrame], {"a": FRAME}),
    "arrow": (pa.Table, TABLE),
    "csv": (Annotated[pd.DataFrame, "csv"], FRAME[["n", "x", "yes"]]),
}
ARRAY = np.arange(6, dtype="float32").reshape(2, 3)


def same(left: Any, right: Any) -> bool:
    """Whether two values have the same classes and content."""
    if type(left) is not type(right):
        return False
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, np.ndarray):
        return left.dtype == right.dtype and np.array_equal(left, right)
    return bool(left.equals(right))
