"""Room of studies: pictures of what is left of each defence, each with the sentence that it tells."""

from typing import Any

import pandas as pd

from stages.reporting.charts import PER_CENT, long, values
from stages.reporting.names import name
from stages.reporting.rounding import rounded
from stages.reporting.sentences import highest
from stages.studies.audit.tables import at_loudest

Made = dict[str, pd.DataFrame]
TOLD = {"unaware": "attacker does not know of it", "aware": "attacker knows of it"}
LOUDNESS = ("the loudest attacks", "quieter ones", "still quieter ones")
DETECTED = {f"auc_{knowledge}": text for knowledge, text in TOLD.items()}


def charts(made: Made, measured: Any) -> dict[str, Any]:
    """What is left of each defence at the loudest budget, a chart a study, and of what stands beside readers.

    Of single victims, cards and cells there is none: there are too many for a picture, and their tables are filtered.
    """
    table, guards = made["table_defences"], made["table_guards"]
    drawn = {f"figure_{study}": _left(at_loudest(own)) for study, own in table.groupby("study", sort=False)}
    return drawn | {
        "table_defences": _by_budget(table),
        "table_guards": _guards(guards),
        "table_guards_auc": _detectors(guards),
        "table_papers": _papers(made["table_papers"]),
    }


def sentence(own: pd.DataFrame) -> str:
    """What a picture tells: the defence of which most is left at the loudest budget, and what it was thought to be."""
    best = highest(at_loudest(own), "aware")
    return (
        f"Against an attacker who knows of it the best defence, {name(best.defence)}, leaves "
        f"{rounded(100 * best.aware)} % decided rightly ({budget(best)}); against one who does not "
        f"{rounded(100 * best.unaware)} %"
    )


def budget(row: pd.Series) -> str:
    """How loud attacks may be."""
    return f"SNR {row.budget:g} dB" if row.budget_in == "snr_db" else f"epsilon {row.budget:g}"


def _left(own: pd.DataFrame) -> Any:
    axis = "% still decided rightly" + "".join(f" at {budget(row)}" for _, row in own.head(1).iterrows())
    data = long(own.sort_values("aware", ascending=False), TOLD, row="defence", scale=100)
    return values(data, title=sentence(own), axis=axis, **PER_CENT)


def _by_budget(table: pd.DataFrame) -> Any:
    """What attackers who know leave, at each budget of a study."""
    parts, left = [], table
    for text in LOUDNESS:
        loudest = pd.concat([left.head(0), *(at_loudest(own) for _, own in left.groupby("study", sort=False))])
        parts.append(long(loudest, {"aware": text}, row="defence", panel="study", scale=100))
        left = left.drop(loudest.index)
    title = "What the loudest and what quieter attacks leave, if attackers know of the defence"
    return values(pd.concat(parts, ignore_index=True), title=title, axis="% still decided rightly", own="y", **PER_CENT)


def _guards(table: pd.DataFrame) -> Any:
    data = long(table, TOLD, row="guard", panel=("study", "entry"), scale=100)
    title = "Detectors beside readers and recognisers, treatments of phrases: attacks that come to nothing"
    return values(data, title=title, axis="% refused, or not what was wanted", own="y", **PER_CENT)


def _detectors(table: pd.DataFrame) -> Any:
    data = long(table, DETECTED, row="guard", panel=("study", "entry"))
    title = "How well detectors tell attacked clips from benign ones; 0.5 is chance"
    return values(data, title=title, axis="AUC", own="y", domain=[0, 1], format=".2f")


def _papers(table: pd.DataFrame) -> Any:
    title = "What papers say of defences, and what is left of it if attackers know"
    return values(long(table, TOLD, row="claim"), title=title, axis="share, or AUC", domain=[0, 1], format=".2f")
