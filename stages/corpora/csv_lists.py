"""Room of corpora: what readers of corpora with csv lists share."""

from pathlib import Path

import pandas as pd

from stages.frame.errors import UserError


def read_list(path: Path, columns: list[str]) -> pd.DataFrame:
    """The rows of a csv list, every cell as text and empty cells as empty text.

    Raises:
        UserError: the file is missing or no csv, or one of `columns` is not there.
    """
    if not path.is_file():
        raise UserError(path, "the corpus's list", "no such file", "see data/README.md")
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except ValueError as error:  # pandas' parser, empty-data and decoding errors are all ValueErrors
        raise UserError(path, "a csv file in UTF-8", str(error), "save the list anew") from error
    for column in columns:
        if column not in table:
            raise UserError(path, f"a column {column!r}", ", ".join(table.columns), "see data/README.md")
    return table


def flags(cells: pd.Series, source: Path) -> pd.Series:
    """A yes/no column (1, true, 0 or false in any case) as booleans.

    Raises:
        UserError: any other value.
    """
    known = {"1": True, "true": True, "0": False, "false": False}
    values = cells.str.lower().map(known)
    if values.isna().any():
        raise UserError(
            f"{source}: {cells.name}", "1 or 0, true or false", repr(cells[values.isna()].iloc[0]), "correct that row"
        )
    return values.astype(bool)
