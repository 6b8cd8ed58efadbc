"""Room of studies: the transfer study's tables of what attacks leave of its models, and whether text helps."""

import math

import numpy as np
import pandas as pd

from stages.measures import testing
from stages.measures.intervals import exact_difference, mean_interval
from stages.measures.paired import sign_flips
from stages.measures.recall import uar, uar_interval
from stages.reporting.cells import Cells, cells, possible, share, table

# The attacks, and what the tables call them.
NAMES = {"none": "none", "fgsm": "FGSM", "bim": "PGD"}


def under_attack(attacks: pd.DataFrame) -> pd.DataFrame:
    """Recall before and after each attack, of every attacked model; attacks that failed are among its clips."""
    made = []
    clean = attacks[attacks.attack == "none"]
    names = ["victim", "variant", "attack", "epsilon"]
    for (victim, model, attack, epsilon), planned in attacks.groupby(names, sort=False):
        own = planned if attack == "none" else possible(planned)
        before = clean[(clean.victim == victim) & (clean.variant == model)]
        right = own[own.clean_prediction == own.label]
        row = {"model": model, "attack": NAMES.get(attack, attack), "epsilon": epsilon}
        row |= recall(before, "ua_clean", "clean_prediction") | recall(own)
        row |= {"n": len(own)} | share(right.success, right.speaker, "success")
        snr_db = own.snr_db.replace([-math.inf, math.inf], math.nan).mean()
        row |= {"right_before": len(right), "snr_db": snr_db, "left_out": len(planned) - len(own)}
        made.append(row | {"zero_gradient": int(own.zero_gradient.sum())})
    columns = ["model", "attack", "epsilon", "ua_clean", "ua", "n", "success", "snr_db", "left_out", "zero_gradient"]
    return table(made, columns)


def recall(rows: pd.DataFrame, name: str = "ua", decision: str = "adversarial_prediction") -> Cells:
    """The mean recall of the classes of what is decided on rows, NaN for none."""
    if rows.empty:
        return cells(name)
    interval = uar_interval(rows.label, rows[decision], rows.speaker)
    return cells(name, uar(rows.label, rows[decision]), *interval)


def text_robustness(attacks: pd.DataFrame) -> pd.DataFrame:
    """Accuracy of the bimodal model less that of others on the same clips under the same attack."""
    made = []
    for (attack, epsilon), planned in attacks.groupby(["attack", "epsilon"], sort=False):
        for other in ("speech", "mlp"):
            both = _right(planned, other)
            if both.empty:
                continue
            by_speaker = both.groupby("speaker").mean()
            differences = (by_speaker.bimodal - by_speaker[other]).to_numpy()
            row = {"attack": NAMES.get(attack, attack), "epsilon": epsilon, "against": other}
            row |= {"bimodal": by_speaker.bimodal.mean(), "other": by_speaker[other].mean()}
            row |= _mean_difference(differences)
            made.append(row | {"p_speakers": sign_flips(differences), "n": len(both)})
    columns = ["attack", "epsilon", "against", "bimodal", "other", "difference", "p_speakers", "n"]
    return table(made, columns)


def hardier(attacks: pd.DataFrame) -> testing.Evidence | None:
    """Whether more clips stay right with text than by speech alone, under PGD at its smallest epsilon."""
    own = attacks[attacks.attack == "bim"]
    both = _right(own[own.epsilon == own.epsilon.min()], "speech")
    return testing.mean((both.bimodal - both.speech).to_numpy(), both.index.get_level_values("speaker"))


def _right(planned: pd.DataFrame, other: str) -> pd.DataFrame:
    """Whether each clip under one attack is decided rightly by the bimodal model and by another, both having had it."""
    own = planned if (planned.attack == "none").all() else possible(planned)
    right = own.assign(right=(own.adversarial_prediction == own.label).astype(float))
    wide = right.pivot_table(index=["clip_id", "speaker"], columns="variant", values="right")
    return wide.reindex(columns=["bimodal", other]).dropna()


def _mean_difference(of_speakers: np.ndarray) -> Cells:
    """The mean of speakers' differences of shares, its interval exact where they do not differ."""
    mean, ends = float(of_speakers.mean()), mean_interval(of_speakers)
    if np.ptp(of_speakers) == 0:
        ends = exact_difference(max(mean, 0.0), max(-mean, 0.0), len(of_speakers))
    return cells("difference", mean, *ends)
