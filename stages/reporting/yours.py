"""Room of reporting: the table of what params.yaml names beyond a study's paper, for studies without one of their own.

A row for each adversarial set, model, split, attack and epsilon that is somebody's own: an own set, or an own attack in
one of the paper's. Of other entries of one's own, such as victims, the rows of the study's tables that name them.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from stages.frame import clip_table
from stages.frame.columns import typed
from stages.reporting.cells import Cells, mean, possible, share, table, with_clusters
from stages.reporting.study import Papers, called, of_named_attacks, papers_alone, rows_naming

NUMBERS, FLAGS = ("snr_db", "forwards", "backwards"), ("success", "impossible", "zero_gradient")
KEYS = ["entry", "model", "split", "attack", "epsilon"]


def yours(
    study: str,
    values: dict[str, Any],
    own: set[str],
    tables: Callable[[dict[str, Any]], dict[str, pd.DataFrame]],
    *,
    papers: Papers,
    also: Callable[[pd.DataFrame], Cells] = lambda rows: {},
) -> pd.DataFrame:
    """The rows of the entries `own` of a study, which are not among its paper's, `papers`.

    `tables` makes the study's tables of its parameters; `also` is what it tells of clips once attacked besides.
    """
    sets = values["attacked"]
    rows = pd.concat([_attacked(study, name, one) for name, one in sets.items()], ignore_index=True)
    rows = rows[rows[["entry", "attack"]].isin(own).any(axis=1)]
    made = table([_told(one, also) for _, one in rows.groupby(KEYS, sort=False)], KEYS)
    others = own - set(sets) - {called(dotted) for one in sets.values() for dotted in one["attacks"]}
    if others:
        named = rows_naming(tables(_without_own_attacks(values, papers)), others)
        made = pd.concat([made, named], ignore_index=True)
    return made


def _attacked(study: str, name: str, entry: dict[str, Any]) -> pd.DataFrame:
    """The rows of a set of the attacks that its entry names now."""
    rows = of_named_attacks(clip_table.read(Path("data", study, "adversarial", name, "clips.csv")), entry)
    rows = typed(rows[rows.attack != "none"].assign(entry=name, corpus=study), NUMBERS, FLAGS)
    model = (rows.victim + "/" + rows.variant).str.rstrip("/") if "variant" in rows else rows.victim
    # What is left out in turn is all judged alike.
    split = rows.split.where(rows.fold == "", "each fold")
    return with_clusters(rows).assign(model=model, epsilon=rows.epsilon.astype(str), split=split)


def _told(planned: pd.DataFrame, also: Callable[[pd.DataFrame], Cells]) -> dict[str, Any]:
    """How many of the clips fell, how many were decided rightly before and after, at what cost, with intervals."""
    own, first = possible(planned), planned.iloc[0]
    truth = own.label.where(own.label != "", own.text)
    row = {name: first[name] for name in KEYS} | {"attacked": len(own), "fooled": int(own.success.sum())}
    row |= share(own.success, own.cluster, "success")
    row |= share(own.clean_prediction == truth, own.cluster, "right_before")
    row |= share(own.adversarial_prediction == truth, own.cluster, "right_after")
    found = own[own.success]
    row |= also(own) | (mean(found.snr_db, found.cluster, "snr_db") if "snr_db" in own else {})
    row |= {"forwards": own.forwards.mean(), "backwards": own.backwards.mean()}
    return row | {"left_out": len(planned) - len(own), "zero_gradient": int(own.zero_gradient.sum())}


def _without_own_attacks(values: dict[str, Any], papers: Papers) -> dict[str, Any]:
    """The parameters with the paper's attacks alone, on the paper's sets and on those of victims of one's own."""
    known = {attack for attacks in papers["attacked"].values() for attack in attacks}
    attacked = papers_alone(values, papers)["attacked"]
    for name, entry in values["attacked"].items():
        attacks = [dotted for dotted in entry["attacks"] if called(dotted) in known]
        victims = {victim.split("/")[0] for victim in entry.get("victims", ())} - set(papers["victims"])
        if name not in attacked and attacks and victims:
            attacked[name] = entry | {"attacks": attacks}
    return values | {"attacked": attacked}
