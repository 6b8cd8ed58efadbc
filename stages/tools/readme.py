"""Tool: brings the numbers in the READMEs up to the tables that they come from: `python -m stages.tools.readme`.

A README says where a number is from in comments, which a page on GitHub does not show. In a sentence:

    Noise leaves <!--= table_3 treatment=noise_20dB GT:.1f -->87.3<!--/--> % right.

The first comment holds the file under `reports` without its suffix (`table_3` in a study's README, `events/table_3` in
that at the top) or of a table beside the study's README (`seeds`, `real`), which row is meant (`column=text`, or
`column~=` and a regular expression; with blanks in quotation marks), and what of it: `column:` and a format of
Python's, `column` alone for the text as it stands, or of several rows `min(column):…`, `max(column):…`,
`range(column):…` and `count`. A metrics.json is a table of one row. `.0%` writes `87 %`, and `.0p` the same without
the sign. A table has a row's template in the comment above it; its head stays:

    <!--table table_3 treatment~=noise
    | {treatment} | {GT:.1f~} |
    -->

    | treatment | right, % |
    |---|--:|
    | noise_20dB | 87.3 (82.2 – 91.2) |

    <!--end-->

`~` adds the interval from the columns `GT_low` and `GT_high`. Numbers that no table of ours holds stand between
`<!--paper-->` or `<!--constant-->` and `<!--/-->`.
"""

import csv
import json
import re
import shlex
from functools import cache
from pathlib import Path

from stages.frame.errors import UserError, told_in_one_line
from stages.reporting.rounding import rounded

REPORTS, STUDIES = Path("reports"), Path("stages/studies")
SPAN = re.compile(r"(<!--=(.*?)-->)(.*?)(<!--/-->)", re.DOTALL)
TABLE = re.compile(r"(<!--table (.*?)\n(.*?)\n-->\n\n.*?\n.*?\n)(.*?)(\n?<!--end-->)", re.DOTALL)
WITH_INTERVAL = re.compile(r"\{(\w+):([^}]*)~\}")
EMPTY_INTERVAL = " ( – )"

Row = dict[str, str]


class Value(str):
    """A cell, which is formatted as a number where a format is given; an empty one stays empty."""

    __slots__ = ()

    def __format__(self, form: str) -> str:
        if not form or not self:
            return str(self)
        number, sign = float(self), ""
        if form[-1] in "%p":
            number, sign, form = 100 * number, " %" if form[-1] == "%" else "", f"{form[:-1]}f"
        return rounded(number, form) + sign


def main() -> None:
    """Rewrites the README at the top and those of all studies.

    Raises:
        UserError: a comment names a table, a row or a column that is not there.
    """
    for path in readmes():
        before = path.read_text(encoding="utf-8")
        after = refreshed(before, path)
        if after != before:
            path.write_text(after, encoding="utf-8")
            print(f"{path}: numbers brought up to the reports")


def readmes() -> list[Path]:
    """The READMEs that tell of measured numbers."""
    return [Path("README.md"), *sorted(STUDIES.glob("*/README.md"))]


def refreshed(text: str, path: Path) -> str:
    """The text of the README `path` with every number and table as the reports have it.

    Raises:
        UserError: a comment names a table, a row or a column that is not there.
    """
    text = SPAN.sub(lambda found: found[1] + sentence_value(found[2].strip(), path) + found[4], text)
    return TABLE.sub(lambda found: found[1] + rows_of_table(found[2], found[3], path) + found[5], text)


def sentence_value(address: str, path: Path) -> str:
    """What the comment `address` in a sentence asks for, such as `table_3 treatment=none GT:.1f`."""
    *where, what = shlex.split(address)
    rows = chosen(where, address, path)
    if what == "count":
        return str(len(rows))
    several = re.fullmatch(r"(min|max|range)\((.+)\)(:.*)?", what)
    column, _, form = (several[2] + (several[3] or "") if several else what).partition(":")
    if not rows or column not in rows[0] or (len(rows) > 1 and not several):
        raise _wrong(
            path, address, "one row that has the column", f"{len(rows)} rows of {', '.join((rows or [{}])[0])}"
        )
    if not several:
        return format(Value(rows[0][column]), form)
    cells = sorted((Value(row[column]) for row in rows if row[column]), key=float)
    ends = {"min": cells[:1], "max": cells[-1:], "range": cells[:1] + cells[-1:]}[several[1]]
    return " – ".join(dict.fromkeys(format(end, form) for end in ends))


def rows_of_table(address: str, template: str, path: Path) -> str:
    """A markdown row for every row that a table's comment means."""
    template = WITH_INTERVAL.sub(r"{\1:\2} ({\1_low:\2} – {\1_high:\2})", template)
    rows = chosen(shlex.split(address), address, path)
    try:
        lines = [template.format(**{column: Value(cell) for column, cell in row.items()}) for row in rows]
    except (KeyError, ValueError) as error:
        raise _wrong(
            path, f"table {address}", "columns of the table, formatted as what they are", str(error)
        ) from error
    return "".join(line.replace(EMPTY_INTERVAL, "") + "\n" for line in lines)


def chosen(where: list[str], address: str, path: Path) -> list[Row]:
    """The rows of the file `where[0]` for which all conditions hold.

    Raises:
        UserError: no such file or column, or something that is no condition.
    """
    file = Path("" if path.parent == Path() else path.parent.name) / where[0]
    rows = read(REPORTS / file)
    rows = read(STUDIES / file) if rows is None else rows
    if rows is None:
        raise _wrong(path, address, f"{file}.csv or .json in {REPORTS} or {STUDIES}", "none")
    for condition in where[1:]:
        parts = re.fullmatch(r"(\w+)(~?=)(.*)", condition, re.DOTALL)
        if not parts or (rows and parts[1] not in rows[0]):
            raise _wrong(path, address, "column=text or column~=pattern", condition)
        rows = [row for row in rows if _holds(row[parts[1]], parts[2], parts[3])]
    return rows


def _wrong(path: Path, address: str, expected: str, found: str) -> UserError:
    return UserError(f"{path}: {address}", expected, found, "correct the comment, or run the study")


def _holds(cell: str, sign: str, wanted: str) -> bool:
    return cell == wanted if sign == "=" else bool(re.search(wanted, cell))


@cache
def read(path: Path) -> list[Row] | None:
    """The rows of `path`.csv, or the one row of `path`.json; None where there is neither."""
    if path.with_suffix(".json").is_file():
        values = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        return [{key: str(value) for key, value in values.items()}]
    if not path.with_suffix(".csv").is_file():
        return None
    with path.with_suffix(".csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


if __name__ == "__main__":
    with told_in_one_line():
        main()
