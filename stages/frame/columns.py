"""Ground floor: what columns hold, which a csv without rows, or with empty cells, does not say."""

from collections.abc import Iterable

import pandas as pd


def typed(rows: pd.DataFrame, numbers: Iterable[str] = (), flags: Iterable[str] = ()) -> pd.DataFrame:
    """The rows with `numbers` as float, NaN where a cell is empty, and `flags` as bool, False where one is.

    Columns that the rows lack are left out.

    Raises:
        ValueError: a cell of `numbers` is neither empty nor a number.
    """
    told = {name: pd.to_numeric(rows[name]).astype(float) for name in numbers if name in rows}
    return rows.assign(**told, **{name: rows[name].isin([True, "True"]) for name in flags if name in rows})
