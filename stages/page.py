"""Verb: a study's tables, figures, claims and sounds on one page that opens from disk, or the list of these pages:
`python -m stages.page [STUDY]`.
"""

import csv
import json
import math
import sys
from pathlib import Path
from typing import Any

from stages.frame import parameters
from stages.frame.errors import told_in_one_line
from stages.frame.modules import find

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


def main(study: str = "") -> None:
    """Writes `reports/<study>/index.html`, or without a study `reports/index.html`, which leads to those of all studies.

    A page refers to files beside it and to nothing on a network.
    """
    if study:
        _write(Path("reports", study, "index.html"), "study.html.j2", study=_study(study))
    else:
        studies = [_headline(name) for name in parameters.section("page.studies")]
        _write(Path("reports", "index.html"), "studies.html.j2", studies=studies)


def _write(path: Path, template: str, **values: Any) -> None:
    from jinja2 import Environment, FileSystemLoader

    folder = Path(__file__).with_name("pages")
    environment = Environment(loader=FileSystemLoader(folder), autoescape=True, trim_blocks=True)
    path.write_text(environment.get_template(template).render(**values), encoding="utf-8")


def _headline(name: str) -> dict[str, Any]:
    """What the list says of a study."""
    folder = Path("reports", name)
    corpora = [
        parameters.section(f"corpora.{corpus}") for corpus in find("studies", name, "CORPORA", where="page.studies")
    ]
    verdicts = [row["verdict"] for row in _rows(folder / "claims.csv")]
    return {
        "name": name,
        "title": find("studies", name, "TITLE", where="page.studies"),
        "corpus": " and ".join(f"{corpus['reader']} at {corpus['root']}" for corpus in corpora),
        "built_in": any(str(corpus["root"]).startswith("data/embedded/") for corpus in corpora),
        "metrics": json.loads((folder / "metrics.json").read_text(encoding="utf-8")),
        "verdicts": {verdict: verdicts.count(verdict) for verdict in dict.fromkeys(verdicts)},
    }


def _study(name: str) -> dict[str, Any]:
    folder = Path("reports", name)
    note, tables, figures = (find("studies", name, part, where="study") for part in ("NOTE", "TABLES", "FIGURES"))
    return _headline(name) | {
        "note": note,
        "tables": [(title, *_table(folder / f"{table}.csv")) for table, title in tables.items()],
        "figures": figures,
        "claims": _rows(folder / "claims.csv"),
        "clips": _clips(folder / "listening" / "listening.csv"),
    }


def _rows(path: Path) -> list[dict[str, str]]:
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
        clip = clips.setdefault(row["item"], {**row, "sounds": []})
        clip["sounds"].append(row)
    return list(clips.values())


if __name__ == "__main__":
    with told_in_one_line():
        main(*sys.argv[1:])
