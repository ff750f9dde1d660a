"""Task functions with data frames and arrays. Import it only where pandas, pyarrow and NumPy are installed."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from flyte.io import DataFrame


def double(frame: pd.DataFrame, factor: int = 2) -> pd.DataFrame:
    """Multiply the numbers of a frame."""
    return frame * factor


def columns(frame: Annotated[pd.DataFrame, {"a": int}]) -> list[str]:
    """Tell which columns a task reads."""
    return [*frame.columns]


def describe(frame: DataFrame, table: pa.Table | None, frames: list[pd.DataFrame]) -> tuple[DataFrame, pa.Table, int]:
    """Return references, tables and frames inside a list."""
    rows = frame.open(pa.Table).all()
    return DataFrame.from_df(rows), table if table is not None else rows, sum(map(len, frames))


def scaled(array: np.ndarray, by: npt.NDArray[np.float64]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return arrays, also inside a dict."""
    return array * by, {"by": by}


@dataclass
class Batch:
    name: str
    table: DataFrame


def summed(batch: Batch) -> Batch:
    """Return a frame inside a data class."""
    frame = batch.table.open(pd.DataFrame).all()
    return Batch(f"{batch.name}: {frame['a'].sum()}", DataFrame.from_df(frame.assign(a=frame["a"] + 1)))
