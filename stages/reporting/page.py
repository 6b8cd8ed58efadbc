"""Room of reporting: a study's tables, figures, claims and sounds on one page, and the list of all studies' pages.

A page opens from disk: it refers to files beside it, and to nothing on a network.
"""

import csv
import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from stages.frame.errors import UserError

# How words of columns' names are written above their columns.
SPELLED = {
    "auc": "AUC",
    "db": "dB",
    "l2": "L2",
    "linf": "L∞",
    "pesq": "PESQ",
    "rosa": "RoSA",
    "s": "(s)",
    "snr": "SNR",
    "sti": "STI",
    "stoi": "STOI",
    "ua": "UA",
    "uar": "UAR",
    "wer": "WER",
}


def write_study(
    folder: Path, summary: dict[str, Any], *, note: str, tables: dict[str, str], figures: dict[str, str]
) -> Path:
    """Writes the `index.html` of a study's report from the files in its folder, and returns its path.

    `summary` is what `write_index` reads again; `tables` and `figures` give each file its title, tables without suffix.
    """
    told = summary | {
        "note": note,
        "tables": [(title, *_table(folder / f"{table}.csv")) for table, title in tables.items()],
        "figures": figures,
        "claims": _rows(folder / "claims.csv"),
        "clips": _clips(folder / "listening" / "listening.csv"),
    }
    return _written(folder / "index.html", "study.html.j2", study=told)


def write_index(reports: Path, studies: Iterable[str]) -> Path:
    """Writes `<reports>/index.html`, which leads to the studies' pages, from their `summary.json`; returns its path.

    Raises:
        UserError: a study has no summary.
    """
    told = [{"name": name} | _summary(reports / name / "summary.json") for name in studies]
    return _written(reports / "index.html", "index.html.j2", studies=told)


def _summary(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise UserError(path, "a study's summary", "no such file", f"python -m stages.report {path.parent.name}")
    return json.loads(path.read_text(encoding="utf-8"))


def _written(path: Path, template: str, **values: Any) -> Path:
    from jinja2 import Environment, FileSystemLoader

    environment = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True)
    path.write_text(environment.get_template(template).render(**values), encoding="utf-8")
    return path


def _rows(path: Path) -> list[dict[str, str]]:
    """The rows of a csv; none where a study has no such file."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def _table(path: Path) -> tuple[list[str], list[list[dict[str, str]]]]:
    """Headings and rows of cells; a value takes its interval and the paper's value into its own cell."""
    rows = _rows(path)
    if not rows:
        return [], []
    names = list(rows[0])
    own = [name for name in names if not name.endswith(("_low", "_high", "_paper")) or name.startswith("rank")]
    heads = [" ".join(SPELLED.get(word, word) for word in name.split("_")) for name in own]
    return heads, [[_cell(row, name) for name in own] for row in rows]


def _cell(row: dict[str, str], name: str) -> dict[str, str]:
    decimals = _decimals(row[name])
    low, high, paper = (_rounded(row.get(f"{name}_{end}") or "", decimals) for end in ("low", "high", "paper"))
    return {
        "value": _rounded(row[name], decimals),
        "interval": f"{low} – {high}" if low and high else "",
        "paper": "" if name == "rank" else paper,
    }


def _decimals(text: str) -> int:
    """With how many a value is told: one from 10 on, else two, below 0.1 those of two digits."""
    try:
        size = abs(float(text))
    except ValueError:
        return 2
    if size == 0 or not math.isfinite(size):
        return 2
    return 1 if size >= 10 else max(2, 1 - math.floor(math.log10(size)))


def _rounded(text: str, decimals: int) -> str:
    """A number with a point with so many decimals; whole ones and words as they are."""
    try:
        return f"{float(text):.{decimals}f}" if "." in text else text
    except ValueError:
        return text


def _clips(path: Path) -> list[dict[str, Any]]:
    clips: dict[str, dict[str, Any]] = {}
    for row in _rows(path):
        clip = clips.setdefault(row["entry"], {**row, "sounds": []})
        clip["sounds"].append(row)
    return list(clips.values())
