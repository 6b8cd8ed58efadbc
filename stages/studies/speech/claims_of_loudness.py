"""Room of studies: what the speech paper claims of how loud an attacker has to be, and what that loudness is worth."""

import numpy as np
import pandas as pd

from stages.measures import testing
from stages.reporting.cells import published
from stages.reporting.verdicts import Claim
from stages.studies.speech.attacks import of_smallest
from stages.studies.speech.claims_of_quality import HARDENED_ATTENTION
from stages.studies.speech.claims_of_success import nearly_always
from stages.studies.speech.differences import OURS, UNMEASURED
from stages.studies.speech.heard import ATTACKED
from stages.studies.speech.measured import NONE

LEVELS = "levels in dB of the same clips and phrases, as loud as each has to be"


def adaptive(magnitude: pd.DataFrame, attacked: pd.DataFrame, name: str) -> list[Claim]:
    """What an attacker has to do who knows of the hardened attention U-Net, beside who attacks without it."""
    claims = (
        f"an attacker who knows of the hardened attention U-Net has to be louder ({name} attack)",
        f"and louder by as many dB as in the paper ({name} attack)",
    )
    rows = magnitude[(magnitude.attack == name) & (magnitude.recogniser == ATTACKED)].set_index("enhancer")
    without, behind = (_of_smallest(attacked, name, enhancer) for enhancer in (NONE, HARDENED_ATTENTION))
    louder = _louder(without, behind)
    if not {NONE, HARDENED_ATTENTION} <= set(rows.index) or louder.empty:
        figures = "7.63 to -2.23 dB (gradient), 7.82 to -3.21 (evolutionary)"
        return [Claim(claim, figures, UNMEASURED) for claim in claims]
    needed = [_or_never(rows.snr_needed_db[one]) for one in (NONE, HARDENED_ATTENTION)]
    here = (
        f"for all clips {' to '.join(needed)}; on the same clip {louder.by_db.mean():+.2f} dB louder ({len(louder)} "
        f"clips; failures behind it, {(~behind.success).sum()} of {len(behind)}, as if at "
        f"{behind.loudest_db.iloc[0]:g} dB)"
    )
    printed = [rows.snr_needed_db_paper[one] for one in (NONE, HARDENED_ATTENTION)]
    step = printed[0] - printed[1]
    values, clusters = louder.by_db.to_numpy(), louder.cluster.to_numpy()
    paper = "{:.2f} to {:.2f} dB, for all clips".format(*printed)
    as_many = testing.mean(values - step, clusters)
    return [
        Claim(claims[0], paper, here, LEVELS, testing.signed_ranks(values, clusters), stated=step),
        Claim(claims[1], f"{step:.2f} dB", here, f"{LEVELS}, less {step:.2f} dB", as_many),
    ]


def spoken(attacked: pd.DataFrame, paper: pd.DataFrame) -> list[Claim]:
    """What the attacks' loudness is worth: the phrase just spoken over the clip, as quiet as it is still heard."""
    where = {"table": "figure_3", "attack": "gradient", "enhancer": HARDENED_ATTENTION}
    needed_db = published(paper, "snr_needed_db", **where)
    claims = (
        "the phrase spoken over the clip has to be louder than the gradient attack to be transcribed",
        f"spoken at the {needed_db:.2f} dB of the paper's attack behind the attention U-Net, the phrase is transcribed "
        "there (taken as: 9 of 10 times and more)",
    )
    attack, alone = (_of_smallest(attacked, name, NONE) for name in ("gradient", "spoken"))
    enhanced = _of_smallest(attacked, "spoken", HARDENED_ATTENTION)
    louder = _louder(attack, alone)
    if louder.empty or enhanced.empty:
        return [Claim(claim, OURS, UNMEASURED) for claim in claims]
    here = (
        f"{louder.by_db.mean():+.2f} dB louder on the same clip ({len(louder)} clips; not transcribed even at "
        f"{alone.loudest_db.iloc[0]:g} dB, and as if at it, {(~alone.success).sum()})"
    )
    heard, heard_alone = (one.success & (one.snr_db >= needed_db) for one in (enhanced, alone))
    told = f"{heard.sum()} of {len(enhanced)} clips; without the U-Net {heard_alone.sum()} of {len(alone)}"
    ranked = testing.signed_ranks(louder.by_db.to_numpy(), louder.cluster.to_numpy())
    return [
        Claim(claims[0], OURS, here, LEVELS, ranked),
        Claim(claims[1], OURS, told, "share of clips less 90 %", nearly_always(heard, enhanced)),
    ]


def _of_smallest(attacked: pd.DataFrame, name: str, enhancer: str) -> pd.DataFrame:
    """The clips of an attack of Figure 3 on the undefended recogniser, none where there was no such attack."""
    wanted = {"attack": name, "recogniser": ATTACKED, "enhancer": enhancer}
    return next((rows for where, rows in of_smallest(attacked) if where == wanted), attacked.head(0))


def _louder(without: pd.DataFrame, behind: pd.DataFrame) -> pd.DataFrame:
    """Of clips that fell without an enhancer by how many dB more they need behind it, as `by_db`.

    Clips that did not fall behind it are as if at the loudest, so that it is the least that the attacker needs.
    """
    reached = behind.assign(snr_db=behind.snr_db.where(behind.success, behind.loudest_db))
    same = ["clip_id", "target"]
    pairs = without[without.success].merge(reached[[*same, "snr_db"]], on=same, suffixes=("", "_behind"))
    pairs = pairs.assign(by_db=pairs.snr_db - pairs.snr_db_behind)
    return pairs[np.isfinite(pairs.by_db)]


def _or_never(value: float) -> str:
    return f"{value:.2f} dB" if np.isfinite(value) else "never"
