"""Room of studies: the audit's tables of what guards readers and recognisers, and of the papers' claims behind guards.

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
# What the papers say of defences and detectors that are audited, their own numbers, and where they are found here.
OF_DEFENCES = (
    ("Noise at 20 dB brings sounds back", "73.7 % right (Table 3)", "events", "noise_20dB"),
    ("Live reverberation brings sounds back", "the second best (Table 3)", "events", "live_reverb"),
    ("Vanilla training protects", "UAR under FGSM near that on real data (Table 2)", "emotion", "vanilla"),
    ("Similarity training protects", "UAR under FGSM near that on real data (Table 2)", "emotion", "similarity"),
)
OF_GUARDS = (
    ("Lip sync detects attacks on words", "AUC .99 under the loudest FGSM (Table 1)", "words", "sync_clean"),
    ("Lip sync detects attacks on sentences", "AUC .90 of the loudest (Table 3)", "sentences", "sync_clean"),
    ("The attention U-Net defends", "RoSA .90 to .83 (Table 4)", "treated", "u_net_attention"),
    (
        "The hardened attention U-Net defends, who knows of it being louder",
        "7.63 to -2.23 dB (Figure 3)",
        "treated",
        "u_net_attention_hardened",
    ),
)


def read(given: dict[str, Any]) -> pd.DataFrame:
    """A row for each clip, guard and knowledge of all entries of the section, see `stages.auditing.guarded`."""
    parts = [
        clip_table.read(Path("data/audit/guarded", study, name, "clips.csv")).assign(entry=name)
        for study, entries in given.items()
        for name in entries
    ]
    rows = typed(pd.concat(parts, ignore_index=True), NUMBERS)
    rows = rows.assign(guard=rows.detector.where(rows.detector != "", rows.defence))
    return with_clusters(rows.assign(corpus=rows.study, split="test")).drop(columns="corpus")


def guards(rows: pd.DataFrame) -> pd.DataFrame:
    """A row for each guard: shares of clips that come off well by what attackers know, and a detector's AUC.

    What counts of a clip is what of all tries is worst for it. The difference is unaware less aware on the same clips.
    """
    made = []
    for where, own in rows.groupby(KEYS, sort=False):
        worst = own.sort_values(["right", "times"], ascending=[True, False]).drop_duplicates(["clip_id", "knowledge"])
        versions = {name: worst[worst.knowledge == name] for name in KNOWLEDGE}
        row = dict(zip(KEYS, where)) | {"victim": own.victim.iloc[0]}
        for name, one in versions.items():
            row |= share(one.right, one.cluster, name)
        pairs = versions["unaware"].merge(versions["aware"], on="clip_id", suffixes=("", "_aware"))
        tested = testing.mean((pairs.right - pairs.right_aware).to_numpy(), pairs.cluster.to_numpy())
        row |= cells("difference", tested.effect, tested.low, tested.high)
        row["p"] = min(1.0, 2 * min(tested.supports, tested.contradicts))
        for name in KNOWLEDGE[1:]:
            row |= _auc(versions["benign"], versions[name], f"auc_{name}")
        row |= {f"snr_db_{name}": _median(versions[name].reached) for name in ("unaware", "aware")}
        made.append(row | {"n": len(versions["aware"]), "clusters": versions["aware"].cluster.nunique()})
    return table(made, p=6)


def papers(defences: pd.DataFrame, guarded: pd.DataFrame) -> pd.DataFrame:
    """What the papers say of defences and detectors, and what is left of it against who knows.

    Args:
        defences: of the loudest budgets, with the columns of `table_defences`.
        guarded: with the columns of `table_guards`.
    """
    made = []
    for claim, paper, study, name in OF_DEFENCES:
        own = defences[(defences.study == study) & (defences.defence == name)]
        made += [_told(claim, paper, "share decided rightly", row, "") for _, row in own.iterrows()]
    for claim, paper, entry, name in OF_GUARDS:
        own = guarded[(guarded.entry == entry) & (guarded.guard == name)]
        as_auc = entry in ("words", "sentences")
        measure = "AUC against clean clips" if as_auc else "share in which the phrase is not written"
        made += [_told(claim, paper, measure, row, "auc_" if as_auc else "") for _, row in own.iterrows()]
    return pd.DataFrame(made)


def _told(claim: str, paper: str, measure: str, row: pd.Series, prefix: str) -> dict[str, Any]:
    told = {"claim": claim, "paper": paper, "measure": measure}
    for name in ("unaware", "aware"):
        told |= {f"{name}{end}": row[f"{prefix}{name}{end}"] for end in ("", "_low", "_high")}
    return told | {"n": row.n}


def _auc(benign: pd.DataFrame, other: pd.DataFrame, name: str) -> Cells:
    """The AUC of benign clips against others by the guard's scores, empty where it gives none."""
    sides = [one[np.isfinite(one.score)] for one in (benign, other)]
    if any(one.empty for one in sides):
        return cells(name)
    scores, clusters = ([one[column].to_numpy() for one in sides] for column in ("score", "cluster"))
    return cells(name, detection.auc(*scores), *detection.auc_interval(*scores, *clusters))


def _median(values: pd.Series) -> float:
    return round(float(values[np.isfinite(values)].median()), 2)
