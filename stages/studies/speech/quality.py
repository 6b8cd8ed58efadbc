"""Room of studies: how good the speech study's clips and models are, before and after enhancement: Tables 1 to 3."""

from typing import Any

import numpy as np
import pandas as pd

from stages.frame import clip_table
from stages.reporting.cells import error_rate, mean, ordered, printed, undefined
from stages.studies.speech.heard import MEASURES, prepared
from stages.studies.speech.measured import NONE, Measured


def corpora(clips: pd.DataFrame, mixtures: pd.DataFrame) -> pd.DataFrame:
    """How many clips and mixtures each split has."""
    made = []
    levels = sorted(mixtures.snr_db.unique(), reverse=True)
    for split in clip_table.SPLITS:
        own, mixed = clips[clips.split == split], mixtures[mixtures.split == split]
        speech, noise = own[own.text != ""], own[own.text == ""]
        readable, mixed = speech[speech.problem == ""], mixed[mixed.problem == ""]
        row = {"split": split, "n": len(readable), "unreadable": int((own.problem != "").sum())}
        row |= {"speakers": readable.speaker.nunique(), "minutes": round(readable.duration_s.sum() / 60, 1)}
        row |= {"kinds_of_noise": noise.speaker.nunique(), "kinds_mixed": mixed.noise.nunique()}
        made.append(row | {f"at_{level:g}_db": int((mixed.snr_db == level).sum()) for level in levels})
    return pd.DataFrame(made)


def recognisers(measured: Measured) -> pd.DataFrame:
    """WER on clean test clips, and of what each enhancer makes of mixtures and of the clean clips in them."""
    made = []
    enhancers = [name for pair in measured.enhancers.items() for name in pair if name]
    for recogniser in measured.recognisers:
        own = measured.decisions[measured.decisions.heard_by == recogniser]
        row: dict[str, Any] = {"recogniser": recogniser, "speech": "test clips", "enhancer": NONE}
        row |= error_rate(own, "wer")
        for way in ("beam", "n_gram"):
            # A recogniser that was not asked for it has no such column, or empty cells beside one that was.
            asked = own[own[f"decision_{way}"].notna()] if f"decision_{way}" in own else own.head(0)
            row |= error_rate(prepared(asked, f"decision_{way}"), f"wer_{way}") if len(asked) else {}
        made.append(row | {"n": len(own)})
        heard = measured.noisy[measured.noisy.heard_by == recogniser]
        for speech in ("clean", "noisy"):
            for enhancer in (NONE, *enhancers):
                own = heard[(heard.version == speech) & (heard.treatment == enhancer)]
                where = {"recogniser": recogniser, "speech": speech, "enhancer": enhancer}
                made.append(where | error_rate(own, "wer") | {"n": len(own)})
    return ordered(made, ("recogniser", "speech", "enhancer", "wer", "wer_beam", "wer_n_gram", "n"))


def quality(rows: pd.DataFrame, enhancers: list[str], table: str, paper: pd.DataFrame) -> pd.DataFrame:
    """Tables 1 to 3: mean quality before and after each enhancer, each clip once whoever heard it."""
    rows = rows.drop_duplicates(["set", "source", "treatment"])
    made = []
    for enhancer in (NONE, *enhancers):
        own = rows[rows.treatment == enhancer]
        row: dict[str, Any] = {"enhancer": enhancer}
        for name in MEASURES:
            row |= mean(own[name], own.cluster, name)
        row |= printed(paper, ("pesq_raw", "sti", "stoi", "snr_db"), table=table, enhancer=enhancer)
        lacking = (~np.isfinite(own[list(MEASURES)])).any(axis=1)
        made.append(row | {"undefined": int(lacking.sum()), "n": len(own)})
    return ordered(made, ("enhancer", *MEASURES, "undefined", "n"))


def levels(ratios: pd.DataFrame, enhancers: list[str]) -> pd.DataFrame:
    """SNR before and after each enhancer, by the level that mixtures were made at."""
    made = []
    for level in sorted(ratios.snr_db.unique(), reverse=True):
        for enhancer in enhancers:
            own = ratios[(ratios.snr_db == level) & (ratios.enhancer == enhancer)]
            # Zero is added so that none is below it.
            row = {"mixed_at_db": level, "enhancer": enhancer, "snr_in_db": round(own.snr_in_db.mean(), 4) + 0.0}
            row |= mean(own.snr_out_db, own.cluster, "snr_out_db")
            gain_db = own.snr_out_db - own.snr_in_db
            row |= mean(gain_db, own.cluster, "gain_db") | undefined(gain_db, "gain_db")
            made.append(row | {"n": len(own)})
    columns = ("mixed_at_db", "enhancer", "snr_in_db", "snr_out_db", "gain_db", "gain_db_undefined", "n")
    return ordered(made, columns)
