"""Room of studies: what the speech paper claims of how loud an attacker has to be, and what that loudness is worth."""

import numpy as np
import pandas as pd

from stages.reporting.cells import Cells, mean, published
from stages.reporting.verdicts import Claim, difference_of, judged, untested
from stages.studies.speech.attacks import of_smallest
from stages.studies.speech.claims_of_quality import HARDENED_ATTENTION
from stages.studies.speech.differences import OURS, with_width
from stages.studies.speech.heard import ATTACKED
from stages.studies.speech.measured import NONE


def adaptive(magnitude: pd.DataFrame, attacked: pd.DataFrame, name: str) -> list[Claim]:
    """What an attacker has to do who knows of the hardened attention U-Net, beside who attacks without it."""
    claims = (
        f"an attacker who knows of the hardened attention U-Net has to be louder ({name} attack)",
        f"and louder by as many dB as in the paper ({name} attack)",
    )
    rows = magnitude[(magnitude.attack == name) & (magnitude.recogniser == ATTACKED)].set_index("enhancer")
    if not {NONE, HARDENED_ATTENTION} <= set(rows.index):
        return [untested(claim, "7.63 to -2.23 dB (gradient), 7.82 to -3.21 (evolutionary)") for claim in claims]
    without, behind = (_of_smallest(attacked, name, enhancer) for enhancer in (NONE, HARDENED_ATTENTION))
    louder, pairs = _louder(without, behind)
    needed = [_or_never(rows.snr_needed_db[one]) for one in (NONE, HARDENED_ATTENTION)]
    here = (
        f"for all clips {' to '.join(needed)}; on the same clip {louder['x']:+.2f} dB louder ({pairs} clips; failures "
        f"behind it, {(~behind.success).sum()} of {len(behind)}, as if at {behind.loudest_db.iloc[0]:g} dB)"
    )
    printed = [rows.snr_needed_db_paper[one] for one in (NONE, HARDENED_ATTENTION)]
    step = printed[0] - printed[1]
    ends = tuple(louder[end] for end in ("x", "x_low", "x_high"))
    return [
        difference_of(claims[0], "{:.2f} to {:.2f} dB, for all clips".format(*printed), here, ends),
        difference_of(claims[1], f"{step:.2f} dB", here, tuple(end - step for end in ends)),
    ]


def spoken(attacked: pd.DataFrame, paper: pd.DataFrame) -> list[Claim]:
    """What the attacks' loudness is worth: the phrase just spoken over the clip, as quiet as it is still heard."""
    where = {"table": "figure_3", "attack": "gradient", "enhancer": HARDENED_ATTENTION}
    needed_db = published(paper, "snr_needed_db", **where)
    claims = (
        "the phrase spoken over the clip has to be louder than the gradient attack to be transcribed",
        f"spoken at the {needed_db:.2f} dB of the paper's attack behind the attention U-Net, the phrase is transcribed "
        "there",
    )
    attack, alone = (_of_smallest(attacked, name, NONE) for name in ("gradient", "spoken"))
    enhanced = _of_smallest(attacked, "spoken", HARDENED_ATTENTION)
    if attack.empty or alone.empty or enhanced.empty:
        return [untested(claim, OURS) for claim in claims]
    louder, pairs = _louder(attack, alone)
    here = (
        f"{louder['x']:+.2f} dB louder on the same clip ({pairs} clips; not transcribed even at "
        f"{alone.loudest_db.iloc[0]:g} dB, and as if at it, {(~alone.success).sum()})"
    )
    heard = [(one.success & (one.snr_db >= needed_db)).sum() for one in (enhanced, alone)]
    told = f"{heard[0]} of {len(enhanced)} clips; without the U-Net {heard[1]} of {len(alone)}"
    return [
        difference_of(claims[0], OURS, here, tuple(louder[end] for end in ("x", "x_low", "x_high"))),
        judged(claims[1], OURS, told, bool(heard[0] == len(enhanced))),
    ]


def _of_smallest(attacked: pd.DataFrame, name: str, enhancer: str) -> pd.DataFrame:
    """The clips of an attack of Figure 3 on the undefended recogniser, none where there was no such attack."""
    wanted = {"attack": name, "recogniser": ATTACKED, "enhancer": enhancer}
    return next((rows for where, rows in of_smallest(attacked) if where == wanted), attacked.head(0))


def _louder(without: pd.DataFrame, behind: pd.DataFrame) -> tuple[Cells, int]:
    """By how many dB, on clips that fell without an enhancer, and how many those are.

    Clips that did not fall behind it are as if at the loudest, so that it is the least that the attacker needs.
    """
    reached = behind.assign(snr_db=behind.snr_db.where(behind.success, behind.loudest_db))
    same = ["clip_id", "target"]
    pairs = without[without.success].merge(reached[[*same, "snr_db"]], on=same, suffixes=("", "_behind"))
    return with_width(mean(pairs.snr_db - pairs.snr_db_behind, pairs.cluster, "x")), len(pairs)


def _or_never(value: float) -> str:
    return f"{value:.2f} dB" if np.isfinite(value) else "never"
