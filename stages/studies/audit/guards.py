"""Room of studies: the audit's table of what guards readers and recognisers.

A guard is a detector beside a victim or a treatment before it. An attack comes to nothing where its goal is not met, or
the detector refuses the clip; an unattacked clip is well off where it is not refused and not taken for something else.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stages.frame import clip_table
from stages.frame.columns import typed
from stages.measures import detection, testing
from stages.reporting.cells import Cells, cells, share, table, with_clusters

NUMBERS = ("right", "score", "reached", "forwards", "backwards", "times")
# Of the clip as it is, of noise as loud, of another clip's perturbation, of who does not and of who does know.
KNOWLEDGE = ("benign", "none", "transplant", "unaware", "aware")
KEYS = ["study", "entry", "guard"]
# What guards nothing.
CONTROL = "none"
# What rows have, in a report of none too.
COLUMNS = ["study", "entry", "victim", "defence", "detector", "clip_id", "speaker", "split", "attack", "access"]
COLUMNS += ["knowledge", *NUMBERS]


def read(given: dict[str, Any], folder: Path) -> pd.DataFrame:
    """A row for each clip, guard and knowledge of all entries of the section, see `stages.auditing.guarded`.

    They were written below the folder.
    """
    parts = [
        clip_table.read(folder / study / name / "clips.csv").assign(entry=name)
        for study, entries in given.items()
        for name in entries
    ]
    rows = typed(pd.concat(parts or [pd.DataFrame(columns=COLUMNS)], ignore_index=True), NUMBERS)
    rows = rows.assign(guard=rows.detector.where(rows.detector != "", rows.defence))
    return with_clusters(rows.assign(corpus=rows.study, split="test")).drop(columns="corpus")


def guards(rows: pd.DataFrame) -> pd.DataFrame:
    """A row for each guard: shares of clips that come off well by what attackers know, and a detector's AUC.

    What counts of a clip is what of all tries is worst for it. The difference is unaware less aware on the same clips.
    """
    made, worst_of_all = [], _worst(rows)
    for where, worst in worst_of_all.groupby(KEYS, sort=False):
        versions = {name: worst[worst.knowledge == name] for name in KNOWLEDGE}
        row = dict(zip(KEYS, where)) | {"victim": worst.victim.iloc[0]}
        for name, one in versions.items():
            row |= share(one.right, one.cluster, name)
        pairs = versions["unaware"].merge(versions["aware"], on="clip_id", suffixes=("", "_aware"))
        tested = testing.mean((pairs.right - pairs.right_aware).to_numpy(), pairs.cluster.to_numpy())
        row |= cells("difference", tested.effect, tested.low, tested.high)
        row["p"] = min(1.0, 2 * min(tested.supports, tested.contradicts))
        for name in KNOWLEDGE[1:]:
            row |= _auc(versions["benign"], versions[name], f"auc_{name}")
        row |= {f"snr_db_{name}": _median(versions[name].reached) for name in ("unaware", "aware")}
        row |= _extra(worst_of_all, versions["aware"])
        made.append(row | {"n": len(versions["aware"]), "clusters": versions["aware"].cluster.nunique()})
    return table(made, [*KEYS, "p"], p=6)


def _worst(rows: pd.DataFrame) -> pd.DataFrame:
    """Of each clip, guard and knowledge the row of the try that is worst for it, of several the longest."""
    ordered = rows.sort_values(["right", "times"], ascending=[True, False], kind="stable")
    return ordered.drop_duplicates([*KEYS, "clip_id", "knowledge"]).sort_index()


def _extra(worst: pd.DataFrame, aware: pd.DataFrame) -> Cells:
    """By how many dB the perturbation of who knows of a guard is louder than of who attacks through the control.

    The median over the clips that both succeed on, with its interval.
    """
    first = aware.iloc[0]
    control = worst[(worst.entry == first.entry) & (worst.study == first.study) & (worst.guard == CONTROL)]
    control = control[(control.knowledge == "aware") & (control.right == 0)]
    if first.guard == CONTROL:
        return cells("extra_db")
    pairs = aware[aware.right == 0].merge(control, on="clip_id", suffixes=("", "_bare"))
    return median("extra_db", (pairs.reached_bare - pairs.reached).to_numpy())


def median(name: str, values: np.ndarray) -> Cells:
    """The median of values (n,), where there are any and it is finite, with its interval, where they all are."""
    middle = float(np.median(values)) if len(values) else np.nan
    whole = len(values) > 0 and np.isfinite(values).all()
    return cells(name, middle if np.isfinite(middle) else np.nan, *(testing.median_interval(values) if whole else ()))


def _auc(benign: pd.DataFrame, other: pd.DataFrame, name: str) -> Cells:
    """The AUC of benign clips against others by the guard's scores, empty where it gives none."""
    sides = [one[np.isfinite(one.score)] for one in (benign, other)]
    if any(one.empty for one in sides):
        return cells(name)
    scores, clusters = ([one[column].to_numpy() for one in sides] for column in ("score", "cluster"))
    return cells(name, detection.auc(*scores), *detection.auc_interval(*scores, *clusters))


def _median(values: pd.Series) -> float:
    return round(float(values[np.isfinite(values)].median()), 2)
