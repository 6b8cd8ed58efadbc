"""Verb: all studies' tables, figures, claims and sounds on one page that opens from disk: `python -m stages.page`."""

import csv
import json
import sys
from pathlib import Path
from typing import Any

from stages.frame import parameters
from stages.frame.errors import told_in_one_line
from stages.frame.modules import find


def main() -> None:
    """Writes `reports/index.html`; it refers to files beside it and to nothing on a network."""
    from jinja2 import Environment, FileSystemLoader

    corpora = parameters.section("corpora")
    studies = [_study(name, corpora[name]) for name in parameters.section("page.studies")]
    environment = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True)
    page = environment.get_template("page.html.j2").render(studies=studies)
    Path("reports", "index.html").write_text(page, encoding="utf-8")


def _study(name: str, corpus: dict[str, Any]) -> dict[str, Any]:
    folder = Path("reports", name)
    title, note, tables, figures = (
        find("studies", name, given, where="page.studies") for given in ("TITLE", "NOTE", "TABLES", "FIGURES")
    )
    return {
        "name": name,
        "title": title,
        "note": note,
        "corpus": f"{corpus['reader']} at {corpus['root']}",
        "built_in": str(corpus["root"]).startswith("data/embedded/"),
        "metrics": json.loads((folder / "metrics.json").read_text(encoding="utf-8")),
        "tables": [(title, *_table(folder / f"{table}.csv")) for table, title in tables.items()],
        "figures": figures,
        "claims": _rows(folder / "claims.csv"),
        "clips": _clips(folder / "listening" / "listening.csv"),
    }


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def _table(path: Path) -> tuple[list[str], list[list[dict[str, str]]]]:
    """Column names and rows of cells; a value takes its interval and the paper's value into its own cell."""
    rows = _rows(path)
    names = list(rows[0])
    own = [name for name in names if not name.endswith(("_low", "_high", "_paper")) or name.startswith("rank")]
    return own, [[_cell(row, name) for name in own] for row in rows]


def _cell(row: dict[str, str], name: str) -> dict[str, str]:
    low, high = row.get(f"{name}_low"), row.get(f"{name}_high")
    paper = "" if name == "rank" else row.get(f"{name}_paper", "")
    return {"value": row[name], "interval": f"{low} – {high}" if low and high else "", "paper": paper}


def _clips(path: Path) -> list[dict[str, Any]]:
    clips: dict[str, dict[str, Any]] = {}
    for row in _rows(path):
        clip = clips.setdefault(row["item"], {**row, "sounds": []})
        clip["sounds"].append(row)
    return list(clips.values())


if __name__ == "__main__":
    with told_in_one_line():
        main(*sys.argv[1:])
