"""Room of studies: what papers say of defences and detectors, tested against attackers who do not know and who do."""

from typing import Any

import pandas as pd

from stages.measures import detection, testing
from stages.reporting.cells import PER_CENT
from stages.reporting.rounding import rounded
from stages.reporting.verdicts import Claim, judged, unit_of

WHO = {"unaware": "if attackers do not know of it", "aware": "if attackers know of it"}
# The claims, the papers' own numbers, where the defence is found here, and what it is compared with.
OF_DEFENCES = (
    ("Noise at 20 dB brings sounds back", "73.7 % right (Table 3)", "events", "noise_20dB", "none"),
    ("Live reverberation brings sounds back", "the second best (Table 3)", "events", "live_reverb", "none"),
    ("Vanilla training protects", "UAR under FGSM near that on real data (Table 2)", "emotion", "vanilla", "single"),
    (
        *("Similarity training protects", "UAR under FGSM near that on real data (Table 2)"),
        *("emotion", "similarity", "single"),
    ),
)
# The same of what guards an entry; a detector's scores are compared with those of unattacked clips.
OF_GUARDS = (
    ("Lip sync detects attacks on words", "AUC .99 under the loudest FGSM (Table 1)", "words", "sync_clean", ""),
    ("Lip sync detects attacks on sentences", "AUC .90 of the loudest (Table 3)", "sentences", "sync_clean", ""),
    ("The attention U-Net defends", "RoSA .90 to .83 (Table 4)", "treated", "u_net_attention", "none"),
    (
        *("The hardened attention U-Net defends, who knows of it being louder", "7.63 to -2.23 dB (Figure 3)"),
        *("treated", "u_net_attention_hardened", "none"),
    ),
)


def claims(loudest: pd.DataFrame, guarded: pd.DataFrame) -> pd.DataFrame:
    """Two rows a claim, by what attackers know, with verdicts as those of the papers' own studies.

    A defence is compared with none of it on the same clips, against attackers who know as much; a detector's AUC with a
    half. What counts of a clip is the worst of all attacks.

    Args:
        loudest: rows of classifiers, see `stages.auditing.crossed`, of each study's loudest budget.
        guarded: rows as `guards.read` makes them.
    """
    made = []
    for knowledge, who in WHO.items():
        for said, paper, study, name, control in OF_DEFENCES:
            own = loudest[(loudest.study == study) & (loudest.knowledge == knowledge)]
            found = _gain(own.assign(by=own.defence), name, control, "share decided rightly")
            made.append(Claim(f"{said}, {who}", paper, **found))
        for said, paper, entry, name, control in OF_GUARDS:
            own = guarded[(guarded.entry == entry) & guarded.knowledge.isin([knowledge, "benign"])]
            own = own.assign(by=own.guard)
            if control:
                attacked = own[own.knowledge == knowledge]
                found = _gain(attacked, name, control, "share in which the phrase is not written")
            else:
                found = _detection(own[own.by == name])
            made.append(Claim(f"{said}, {who}", paper, **found))
    return judged(made)


def papers(defences: pd.DataFrame, guarded: pd.DataFrame, verdicts: pd.DataFrame) -> pd.DataFrame:
    """What the papers say of defences and detectors, and what is left of it by what attackers know.

    Args:
        defences: of the loudest budgets, with the columns of `table_defences`.
        guarded: with the columns of `table_guards`.
        verdicts: as `claims` makes them.
    """
    found = dict(zip(verdicts.claim, verdicts.verdict))
    made = []
    for said, paper, study, name, _ in OF_DEFENCES:
        own = defences[(defences.study == study) & (defences.defence == name)]
        made += [_told(said, paper, "share decided rightly", row, "", found) for _, row in own.iterrows()]
    for said, paper, entry, name, control in OF_GUARDS:
        own = guarded[(guarded.entry == entry) & (guarded.guard == name)]
        measure = "share in which the phrase is not written" if control else "AUC against clean clips"
        made += [_told(said, paper, measure, row, "" if control else "auc_", found) for _, row in own.iterrows()]
    return pd.DataFrame(made)


def _told(said: str, paper: str, measure: str, row: pd.Series, prefix: str, found: dict[str, str]) -> dict[str, Any]:
    told = {"claim": said, "paper": paper, "measure": measure}
    for name, who in WHO.items():
        told |= {f"{name}{end}": row[f"{prefix}{name}{end}"] for end in ("", "_low", "_high")}
        told[f"verdict_{name}"] = found[f"{said}, {who}"]
    return told | {"n": row.n}


def _gain(rows: pd.DataFrame, name: str, control: str, measure: str) -> dict[str, Any]:
    """What is left behind the defence `name` of the column `by`, tested against what is left behind the control."""
    worst = rows.groupby(["victim", "clip_id", "cluster", "speaker", "by"]).right.min().unstack("by")
    if not {name, control} <= set(worst):
        return {"here": ""}
    pairs = worst.dropna(subset=[name, control]).reset_index()
    tested = testing.mean((pairs[name] - pairs[control]).to_numpy(), pairs.cluster.to_numpy())
    here = f"{rounded(PER_CENT * pairs[name].mean())} %; without it {rounded(PER_CENT * pairs[control].mean())} %"
    return {"here": here, "compared": f"{measure}, with it less without it", "tested": tested, "unit": unit_of(pairs)}


def _detection(rows: pd.DataFrame) -> dict[str, Any]:
    """The AUC of unattacked clips against attacked ones, of each clip the worst version, tested against a half."""
    ordered = rows.sort_values(["right", "times"], ascending=[True, False], kind="stable")
    worst = ordered.drop_duplicates(["clip_id", "knowledge"])
    sides = [worst[(worst.knowledge == "benign") == benign] for benign in (True, False)]
    scores, clusters = ([one[column].to_numpy() for one in sides] for column in ("score", "cluster"))
    if any(one.empty for one in sides):
        return {"here": ""}
    tested = testing.auc_above_half(*scores, clusters)
    here = f"AUC {detection.auc(*scores):.2f}"
    return {"here": here, "compared": "AUC, less a half", "tested": tested, "unit": unit_of(worst)}
