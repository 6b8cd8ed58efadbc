"""Room of studies: a card for each victim, defence and detector: what it is, what attacked it, and what it is worth."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from stages.reporting.cells import table

WORTH = [f"{name}{end}" for name in ("unaware", "aware") for end in ("", "_low", "_high")]
COLUMNS = ["kind", "study", "name", "entry", "made_of", "attacked_by", "budget", "budget_in", "n", "clean", *WORTH]
COLUMNS += ["extra_db", "flags"]
# What defends nothing.
CONTROLS = ("none", "as_it_is", "single")
# How tables of the two sections call what a card is of, and clips that nobody attacked.
OF_CLASSIFIERS = {"entry": "victim", "guard": "defence", "clean": "clean"}
OF_GUARDED = {"entry": "entry", "guard": "guard", "clean": "benign"}


def read(folder: Path, given: dict[str, Any]) -> pd.DataFrame:
    """The cards that stages left of what they audited, with the entry of the section, `given`, that each is of."""
    parts = []
    for study, entries in given.items():
        for entry in entries:
            about = json.loads((folder / study / entry / "about.json").read_text(encoding="utf-8"))
            parts += [{"study": study, "entry": entry} | card for card in about["cards"]]
    return pd.DataFrame(parts, columns=["study", "entry", "kind", "name", "made_of"])


def cards(told: pd.DataFrame, worth: pd.DataFrame, attacked: pd.DataFrame, names: dict[str, str]) -> pd.DataFrame:
    """A row for each of the cards of a section.

    `clean` is the share that is decided rightly, or well off, unattacked; `unaware` and `aware` are what the worst
    attacks of each leave at the loudest budget: of a victim where nothing stands before or beside it.

    Args:
        told: the cards.
        worth: a table of the section, of the loudest budgets.
        attacked: the clips of the section.
        names: the columns in which `worth` and `attacked` have the entry, the guard and unattacked clips.
    """
    worth, attacked = (one.rename(columns={names[name]: name for name in names}) for one in (worth, attacked))
    by = attacked[attacked.knowledge == "aware"].assign(attack=lambda own: own.attack + " (" + own.access + ")")
    made = []
    for card in told.to_dict("records"):
        guard = CONTROLS if card["kind"] == "victim" else (card["name"],)
        own, tried = (one[(one.study == card["study"]) & (one.entry == card["entry"])] for one in (worth, by))
        tried = tried if card["kind"] == "victim" else tried[tried.guard.isin(guard)]
        found = own[own.guard.isin(guard)].to_dict("records")
        made.append((found[0] if found else {}) | card | {"attacked_by": ", ".join(dict.fromkeys(tried.attack))})
    return table(made, COLUMNS)[COLUMNS].astype({"n": "Int64"})
