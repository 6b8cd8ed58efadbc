"""Room of reporting: the parts of a study, found in its folder, and which of its entries are its paper's."""

import math
from pathlib import Path
from typing import Any

import pandas as pd

from stages.frame.errors import UserError
from stages.frame.modules import find

STUDIES = Path(__file__).parents[1] / "studies"
# Tables that tell of papers alone.
OF_PAPERS = ("claims", "table_papers")
# The names of the paper's entries by section; of adversarial sets, where the study tells them, with their attacks.
Papers = dict[str, tuple[str, ...] | dict[str, tuple[str, ...]]]


def part(study: str, file: str, attribute: str) -> Any:
    """`attribute` of `stages/studies/<study>/<file>.py`.

    Raises:
        UserError: there is no such study, or it lacks this part.
    """
    known = sorted(folder.name for folder in STUDIES.iterdir() if folder.is_dir() and folder.name != "__pycache__")
    if study not in known:
        raise UserError("study", f"one of {', '.join(known)}", repr(study), "correct the name, or add its folder")
    return find(f"studies.{study}", file, attribute, where=study)


def has(study: str, file: str) -> bool:
    """Whether the study's folder has this file; pictures and findings are its own to give."""
    return (STUDIES / study / f"{file}.py").is_file()


def papers_alone(values: dict[str, Any], papers: Papers) -> dict[str, Any]:
    """A study's parameters without the entries that are somebody's own; `papers` names the paper's of each section.

    Of adversarial sets it may also name the paper's attacks, of which alone the sets then are.
    """
    kept = {
        section: {name: entry for name, entry in values.get(section, {}).items() if name in names}
        for section, names in papers.items()
    }
    for name, attacks in _attacks(papers).items():
        if name in kept["attacked"]:
            entry = kept["attacked"][name]
            known = [dotted for dotted in entry["attacks"] if called(dotted) in attacks]
            kept["attacked"][name] = entry | {"attacks": known}
    return values | kept


def beyond(values: dict[str, Any], papers: Papers) -> set[str]:
    """The names of the entries, and of attacks in the paper's sets, that `papers_alone` leaves out."""
    own = {name for section, names in papers.items() for name in values.get(section, {}) if name not in names}
    for name, attacks in _attacks(papers).items():
        own |= set(map(called, values["attacked"].get(name, {"attacks": ()})["attacks"])) - set(attacks)
    return own


def with_stages(values: dict[str, Any]) -> list[str]:
    """The adversarial sets of one's own that have stages of their own, see `parameters.with_own`."""
    own = values.get("own", {})
    return [name for name in own.get("attacked", {}) | own.get("finished", {}) if name in values["attacked"]]


def called(dotted: str) -> str:
    """The name that an attack has in tables: the last part of an entry of `attacks`."""
    return dotted.rpartition(".")[2]


def of_named_attacks(rows: pd.DataFrame, entry: dict[str, Any]) -> pd.DataFrame:
    """The rows of an adversarial set of the attacks that its entry names now, and those that are not attacked."""
    return rows[rows.attack.isin(["none", *map(called, entry["attacks"])])]


def _attacks(papers: Papers) -> dict[str, tuple[str, ...]]:
    """The paper's attacks by adversarial set, where the study tells them."""
    attacked = papers.get("attacked", ())
    return attacked if isinstance(attacked, dict) else {}


def rows_naming(made: dict[str, pd.DataFrame], names: set[str]) -> pd.DataFrame:
    """The rows of a study's tables, below one another, of which a cell is one of these names; of no figure or claim."""
    tables = {name: table for name, table in made.items() if name.startswith("table_")}
    rows = [table[table.isin(names).any(axis=1)].assign(table=name) for name, table in tables.items()]
    rows = pd.concat([one for one in rows if len(one)] or [pd.DataFrame(columns=["table"])], ignore_index=True)
    shown = [name for name in rows if not name.endswith("_paper") and name != "table" and rows[name].notna().any()]
    return rows[["table", *shown]]


def on_the_papers(corpora: dict[str, Any], readers: tuple[str, ...]) -> bool:
    """Whether all corpora are the paper's, or their stand-ins: what one of these `readers` reads."""
    return all(corpus["reader"] in readers for corpus in corpora.values())


def without_paper(made: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The tables without a value of the paper, or of another that it cites, and without its claims.

    Columns and files stay, as a stage has to write all that it declares.
    """
    emptied = {}
    for name, table in made.items():
        if "cited" in table:
            table = table[table.cited == "no"]
        of_paper = [column for column in table if column.endswith("_paper")]
        emptied[name] = table.head(0) if name in OF_PAPERS else table.assign(**dict.fromkeys(of_paper, math.nan))
    return emptied
