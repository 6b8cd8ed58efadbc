"""Room of reporting: values of tables as they stand in sentences."""

import math
from typing import Any

import pandas as pd

from stages.reporting.rounding import rounded


def told(row: Any, name: str, *, scale: float = 1.0, form: str = ".0f", unit: str = " %") -> str:
    """A value with its interval in brackets, such as "88 % (83 to 92)"; "not measured" where there is none."""
    value, low, high = (scale * _number(row, f"{name}{end}") for end in ("", "_low", "_high"))
    if not math.isfinite(value):
        return "not measured"
    interval = f" ({rounded(low, form)} to {rounded(high, form)})" if math.isfinite(low) else ""
    return f"{rounded(value, form)}{unit}{interval}"


def _number(row: Any, name: str) -> float:
    """NaN also of the row that `highest` gives where there is none."""
    return float(pd.to_numeric(row.get(name, math.nan), errors="coerce"))


def in_paper(row: Any, name: str, *, scale: float = 1.0, form: str = ".0f", unit: str = " %") -> str:
    """The paper's value after a comma, nothing where it has none."""
    value = scale * _number(row, f"{name}_paper")
    return f", the paper {rounded(value, form)}{unit}" if math.isfinite(value) else ""


def beyond_papers(table: pd.DataFrame, name: str) -> tuple[int, int]:
    """Of how many rows the paper's value lies outside the interval, and how many have both."""
    both = table.dropna(subset=[f"{name}_low", f"{name}_paper"])
    return int((~both[f"{name}_paper"].between(both[f"{name}_low"], both[f"{name}_high"])).sum()), len(both)


def highest(table: pd.DataFrame, column: str) -> pd.Series:
    """The row with the highest value, the first of several; one of empty texts where there is none."""
    return _first(table, column, ascending=False)


def lowest(table: pd.DataFrame, column: str) -> pd.Series:
    """The row with the lowest value, the first of several; one of empty texts where there is none."""
    return _first(table, column, ascending=True)


def _first(table: pd.DataFrame, column: str, *, ascending: bool) -> pd.Series:
    """Where nothing was measured a table may lack the column."""
    values = table.get(column, pd.Series(dtype=float)).astype(float).dropna()
    if values.empty:
        return pd.Series("", index=table.columns)
    return table.loc[values.sort_values(ascending=ascending, kind="stable").index[0]]
