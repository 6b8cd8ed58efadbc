"""Room of corpora: what readers of corpora with csv lists share."""

import csv
from collections import Counter
from pathlib import Path

import pandas as pd

from stages.frame.clip_table import unseen
from stages.frame.errors import UserError
from stages.frame.text import read_text


def read_list(path: Path, columns: list[str]) -> pd.DataFrame:
    """The rows of a csv list, every cell as text without the spaces around it; their index is the number of the line.

    Names of columns count in lower case. Passed over are lines without a cell, and cells without a name and a content
    behind the last column, such as spreadsheets write.

    Raises:
        UserError: the file is missing or not in UTF-8, a column is there twice or one of `columns` is not there, or a
            line does not have as many cells as the header, quotes that end in it, or nothing but what can be seen.
    """
    if not path.is_file():
        raise UserError(path, "the corpus's list", "no such file", "see data/README.md")
    text = read_text(path)
    # A carriage return alone ends lines only where all end so; amid others it would make one row two.
    lines = text.split("\n" if "\n" in text else "\r")
    rows = {number: cells for number, line in enumerate(lines, 1) if any(cells := _cells(path, number, line))}
    if not rows:
        raise UserError(path, f"a csv file with the columns {', '.join(columns)}", "an empty one", "save the list anew")
    header = _without_empty_end([cell.lower() for cell in rows.pop(next(iter(rows)))])
    times = Counter(header)
    for column in [*columns, *header]:
        if times[column] != 1:
            raise UserError(path, f"one column {column!r}", ", ".join(header)[:200], "see data/README.md")
    for number, cells in rows.items():
        if not len(_without_empty_end(cells)) <= len(header) <= len(cells):
            raise _no_row(path, number, f"{len(header)} cells, as in the header", f"{len(cells)}")
    return pd.DataFrame([cells[: len(header)] for cells in rows.values()], list(rows), header, dtype=str)


def flags(cells: pd.Series, source: Path) -> pd.Series:
    """A yes/no column (1, true, 0 or false in any case) of a list as booleans.

    Raises:
        UserError: any other value.
    """
    known = {"1": True, "true": True, "0": False, "false": False}
    values = cells.str.lower().map(known)
    for number, cell in cells[values.isna()].items():
        raise _no_row(source, number, f"1 or 0, true or false as {cells.name}", repr(cell))
    return values.astype(bool)


def _cells(path: Path, number: int, line: str) -> list[str]:
    try:
        cells = next(csv.reader([line.removesuffix("\r")], strict=True, skipinitialspace=True), [])
    except csv.Error as error:
        raise _no_row(path, number, "cells between commas, with quotes that end in that line", str(error)) from error
    if line.count('"') % 2:
        raise _no_row(path, number, "quotes in pairs", repr(line[-60:]))
    cells = [cell.strip() for cell in cells]
    if hidden := unseen("".join(cells)):
        raise _no_row(path, number, "cells of what can be seen", repr(hidden))
    return cells


def _without_empty_end(cells: list[str]) -> list[str]:
    return cells[: max((place for place, cell in enumerate(cells, start=1) if cell), default=0)]


def _no_row(path: Path, number: int, expected: str, found: str) -> UserError:
    return UserError(f"{path}, line {number}", expected, found, "correct that line")
