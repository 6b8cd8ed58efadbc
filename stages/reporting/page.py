"""Room of reporting: a study's findings, tables, pictures, claims and sounds on one page, and the page of all studies.

A page opens from disk: scripts, styles and pictures of lines are in it, it refers to sounds and pictures of pixels
beside it, and its policy lets it load nothing else and run no script but its own.
"""

import base64
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from stages.frame.errors import UserError
from stages.reporting.names import name, spelt
from stages.reporting.sheet import rows_of, sheet
from stages.reporting.verdicts import VERDICTS

TEMPLATES, VENDORED = (Path(__file__).parent / folder for folder in ("templates", "vendored"))
DATATABLES = VENDORED / "datatables.net"
# What claims have in sentences.
TOLD_OF_A_CLAIM = ("claim", "paper", "here", "test")
SCRIPTS = (DATATABLES / "dataTables.min.js", TEMPLATES / "page.js", TEMPLATES / "listening.js")


def write_study(
    folder: Path, summary: dict[str, Any], *, note: str, tables: dict[str, str], figures: dict[str, str]
) -> Path:
    """Writes the `index.html` of a study's report from the files in its folder, and returns its path.

    `summary` is what `write_index` reads again; `tables` and `figures` give each file its title, without suffix but for
    figures of pixels.
    """
    claims = [row | {key: spelt(row[key]) for key in TOLD_OF_A_CLAIM} for row in rows_of(folder / "claims.csv")]
    places = {stem: _place(stem, tables) for stem in summary["pictures"]}
    told = summary | {
        "note": note,
        "tables": {
            table: {"title": title, "pictures": [stem for stem, place in places.items() if place == table]}
            | sheet(folder / f"{table}.csv")
            for table, title in tables.items()
        },
        "figures": figures,
        "pictures": {stem: _picture(folder, stem) for stem in summary["pictures"]},
        "claims": {verdict: [row for row in claims if row["verdict"] == verdict] for verdict in VERDICTS},
        "clips": _clips(folder / "listening" / "listening.csv"),
    }
    return _written(folder / "index.html", "study.html.j2", study=told)


def write_index(reports: Path, studies: Iterable[str]) -> Path:
    """Writes `<reports>/index.html`, which leads to the studies' pages, from their `summary.json`; returns its path.

    Raises:
        UserError: a study has no summary.
    """
    told = [{"name": study} | _summary(reports / study) for study in studies]
    verdicts = {
        verdict: sum(one["verdicts"].get(verdict, 0) for one in told if not one["audit"]) for verdict in VERDICTS
    }
    return _written(reports / "index.html", "index.html.j2", studies=told, verdicts=verdicts)


def _place(stem: str, tables: Iterable[str]) -> str:
    """The table by which a picture stands: the one that it is named after, as table_1_accuracy is after table_1."""
    return max((table for table in tables if f"{stem}_".startswith(f"{table}_")), key=len, default="")


def _summary(folder: Path) -> dict[str, Any]:
    """What a study's report says of itself, and its first picture."""
    path = folder / "summary.json"
    if not path.is_file():
        raise UserError(path, "a study's summary", "no such file", f"python -m stages.report {folder.name}")
    summary = json.loads(path.read_text(encoding="utf-8"))
    return summary | {"drawn": [_picture(folder, stem) for stem in summary["pictures"][:1]]}


def _picture(folder: Path, stem: str) -> str:
    return (folder / "pictures" / f"{stem}.svg").read_text(encoding="utf-8")


def _written(path: Path, template: str, **values: Any) -> Path:
    from jinja2 import Environment, FileSystemLoader

    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    scripts = [script.read_text(encoding="utf-8") for script in SCRIPTS]
    values |= {"scripts": scripts, "hashes": " ".join(f"'sha256-{_sha256(script)}'" for script in scripts)}
    values["licence"] = (DATATABLES / "License.txt").read_text(encoding="utf-8")
    path.write_text(environment.get_template(template).render(values), encoding="utf-8")
    return path


def _sha256(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _clips(path: Path) -> list[dict[str, Any]]:
    """What `stages.listen` wrote, by entry: of each its `sounds`, and how both are `called`."""
    clips: dict[str, dict[str, Any]] = {}
    for row in rows_of(path):
        clip = clips.setdefault(
            row["entry"], {**row, "called": name(row["entry"]), "strength": spelt(row["strength"]), "sounds": []}
        )
        clip["sounds"].append(row | {"called": name(row["sound"])})
    return list(clips.values())
