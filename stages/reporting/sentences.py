"""Room of reporting: values of tables as they stand in sentences."""

import math
from typing import Any

import pandas as pd


def told(row: Any, name: str, *, scale: float = 1.0, form: str = ".0f", unit: str = " %") -> str:
    """A value with its interval in brackets, such as "88 % (83 to 92)"; "not measured" where there is none."""
    value, low, high = (scale * float(row.get(f"{name}{end}", math.nan)) for end in ("", "_low", "_high"))
    if not math.isfinite(value):
        return "not measured"
    interval = f" ({low:{form}} to {high:{form}})" if math.isfinite(low) else ""
    return f"{value:{form}}{unit}{interval}"


def in_paper(row: Any, name: str, *, scale: float = 1.0, form: str = ".0f", unit: str = " %") -> str:
    """The paper's value after a comma, nothing where it has none."""
    value = scale * float(row.get(f"{name}_paper", math.nan))
    return f", the paper {value:{form}}{unit}" if math.isfinite(value) else ""


def beyond_papers(table: pd.DataFrame, name: str) -> tuple[int, int]:
    """Of how many rows the paper's value lies outside the interval, and how many have both."""
    both = table.dropna(subset=[f"{name}_low", f"{name}_paper"])
    return int((~both[f"{name}_paper"].between(both[f"{name}_low"], both[f"{name}_high"])).sum()), len(both)


def highest(table: pd.DataFrame, column: str) -> pd.Series:
    """The row with the highest value; one of empty texts where there is none."""
    return _at(table, table[column].astype(float).sort_values(ascending=False, kind="stable"))


def lowest(table: pd.DataFrame, column: str) -> pd.Series:
    """The row with the lowest value; one of empty texts where there is none."""
    return _at(table, table[column].astype(float).sort_values(kind="stable"))


def _at(table: pd.DataFrame, values: pd.Series) -> pd.Series:
    values = values.dropna()
    return table.loc[values.index[0]] if len(values) else pd.Series("", index=table.columns)
