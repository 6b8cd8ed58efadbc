"""Room of studies: the transfer study's tables of what attacks leave of its models, and whether text helps."""

import math

import pandas as pd

from stages.measures.intervals import mean_interval
from stages.measures.paired import sign_flips
from stages.measures.recall import uar, uar_interval
from stages.reporting.cells import Cells, cells, share, table

# The attacks, and what the tables call them.
NAMES = {"none": "none", "fgsm": "FGSM", "bim": "PGD"}


def under_attack(attacks: pd.DataFrame) -> pd.DataFrame:
    """Recall before and after each attack, of every attacked model; attacks that failed are among its clips."""
    made = []
    clean = attacks[attacks.attack == "none"]
    names = ["victim", "variant", "attack", "epsilon"]
    for (victim, model, attack, epsilon), own in attacks.groupby(names, sort=False):
        before = clean[(clean.victim == victim) & (clean.variant == model)]
        right = own[own.clean_prediction == own.label]
        row = {"model": model, "attack": NAMES.get(attack, attack), "epsilon": epsilon}
        row |= _recall(before, "clean_prediction", "ua_clean") | _recall(own, "adversarial_prediction", "ua")
        row |= {"n": len(own)} | share(right.success, right.speaker, "success")
        snr_db = own.snr_db.replace(math.inf, math.nan).mean()
        made.append(row | {"right_before": len(right), "snr_db": snr_db})
    return table(made, ["model", "attack", "epsilon", "ua_clean", "ua", "n", "success", "snr_db"])


def _recall(rows: pd.DataFrame, decision: str, name: str) -> Cells:
    interval = uar_interval(rows.label, rows[decision], rows.speaker)
    return cells(name, uar(rows.label, rows[decision]), *interval)


def text_robustness(attacks: pd.DataFrame) -> pd.DataFrame:
    """Accuracy of the bimodal model less that of others on the same clips under the same attack."""
    made = []
    for (attack, epsilon), own in attacks.groupby(["attack", "epsilon"], sort=False):
        right = own.assign(right=(own.adversarial_prediction == own.label).astype(float))
        wide = right.pivot_table(index=["clip_id", "speaker"], columns="variant", values="right")
        for other in ("speech", "mlp"):
            if not {"bimodal", other} <= set(wide.columns):
                continue
            both = wide[["bimodal", other]].dropna()
            by_speaker = both.groupby("speaker").mean()
            differences = (by_speaker.bimodal - by_speaker[other]).to_numpy()
            row = {"attack": NAMES.get(attack, attack), "epsilon": epsilon, "against": other}
            row |= {"bimodal": by_speaker.bimodal.mean(), "other": by_speaker[other].mean()}
            row |= cells("difference", differences.mean(), *mean_interval(differences))
            made.append(row | {"p_speakers": sign_flips(differences), "n": len(both)})
    columns = ["attack", "epsilon", "against", "bimodal", "other", "difference", "p_speakers", "n"]
    return table(made, columns)
