"""Room of reporting: a table's csv as it is shown: names spelt, numbers rounded, intervals drawn as bars."""

import csv
import math
from pathlib import Path
from typing import Any

from stages.reporting.names import head, name
from stages.reporting.rounding import rounded

Row = dict[str, str]
# With more decimals than these a number is told by its power of ten.
SMALLEST = 5
ENDS = ("_low", "_high", "_paper")


def rows_of(path: Path) -> list[Row]:
    """The rows of a csv; none where a study has no such file."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def sheet(path: Path) -> dict[str, Any]:
    """Heads and rows of cells; a value takes its interval and the paper's value into its own cell."""
    rows = rows_of(path)
    columns = [column for column in (rows[0] if rows else ()) if not column.endswith(ENDS) or column.startswith("rank")]
    numbers = {column for column in columns if _are_numbers([row[column] for row in rows])}
    scales = {column: _scale(rows, column) for column in columns}
    return {
        "heads": [{"text": head(column), "number": column in numbers} for column in columns],
        "rows": [
            [cell(row, column, scales[column]) | {"number": column in numbers} for column in columns] for row in rows
        ],
    }


def cell(row: Row, column: str, scale: tuple[float, float]) -> dict[str, Any]:
    """A value as text, what it is sorted by, its interval, the paper's value, and all three as a bar on the scale."""
    value, decimals = row[column], _decimals(row[column])
    low, high, paper = (row.get(f"{column}{end}") or "" for end in ENDS)
    paper = "" if column == "rank" else paper
    ends = [low, high] if low and high else []
    return {
        "value": _rounded(value, decimals) if _number(value) is not None else name(value),
        "order": value,
        "interval": " – ".join(_rounded(end, decimals) for end in ends),
        "paper": _rounded(paper, decimals) if _shows(paper, decimals) else _rounded(paper, _decimals(paper)),
        "within": bool(ends and paper) and float(low) <= float(paper) <= float(high),
        "bar": _bar({"at": value, "low": low, "high": high, "paper": paper}, scale) if ends else "",
    }


def _bar(places: dict[str, str], scale: tuple[float, float]) -> str:
    """Where on the scale all lie, as properties of a style."""
    start, end = scale
    told = {place: float(value) for place, value in places.items() if value}
    if start < 0:
        told["zero"] = 0.0
    told = {place: 100 * (value - start) / (end - start) for place, value in told.items() if math.isfinite(value)}
    return ";".join(f"--{place}:{share:.1f}%" for place, share in told.items())


def _scale(rows: list[Row], column: str) -> tuple[float, float]:
    """What a column's bars reach over: 0, all that stands there, and 1 where that is not beyond it."""
    told = [_number(row.get(f"{column}{end}") or "") for row in rows for end in ("", *ENDS)]
    told = [value for value in told if value is not None and math.isfinite(value)]
    start, end = min([0.0, *told]), max([0.0, *told])
    return (start, 1.0) if start >= -1 and end <= 1 else (start, end)


def _are_numbers(values: list[str]) -> bool:
    told = [value for value in values if value]
    return bool(told) and all(_number(value) is not None for value in told)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _decimals(text: str) -> int:
    """With how many a value is told: one from 10 on, else two, below 0.1 those of two digits."""
    size = abs(_number(text) or 0.0)
    if size == 0 or not math.isfinite(size):
        return 2
    return 1 if size >= 10 else max(2, 1 - math.floor(math.log10(size)))


def _shows(text: str, decimals: int) -> bool:
    """Whether a number is more than nothing with so many decimals, or is nothing."""
    return not _number(text) or abs(float(text)) >= 0.5 / 10**decimals


def _rounded(text: str, decimals: int) -> str:
    """A number with a point with so many decimals, a very small one by its power of ten; whole ones as they are."""
    if _number(text) is None or not {".", "e"} & set(text):
        return text
    return rounded(float(text), f".{decimals}f" if decimals <= SMALLEST else ".1e")
